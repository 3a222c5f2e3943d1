//! Scores of the seeded items, made once in a store's life by whichever instance writes first.

use service::{Error, Store};

const DEED: &str = "seed_scores";

/// SKU, name, popularity.
const ITEMS: [(&str, &str, i64); 20] = [
    ("LAMP-OIL", "Oil lamp, terracotta", 98),
    ("TOGA-WHITE", "White toga", 95),
    ("SANDALS-LEATHER", "Leather sandals", 91),
    ("LAUREL-WREATH", "Laurel wreath", 88),
    ("AMPHORA-WINE", "Amphora of Falernian wine", 84),
    ("GARUM-JAR", "Jar of garum", 77),
    ("STYLUS-IRON", "Iron stylus", 73),
    ("BOOK-WAX", "Wax tablet, two leaves", 71),
    ("TUNIC-LINEN", "Linen tunic", 66),
    ("AMPHORA-OIL", "Amphora of olive oil", 64),
    ("DICE-BONE", "Pair of bone dice", 59),
    ("COIN-PURSE", "Leather coin purse", 55),
    ("PAPYRUS-ROLL", "Papyrus roll", 48),
    ("BROOCH-BRONZE", "Bronze brooch", 44),
    ("CLOAK-WOOL", "Woollen travelling cloak", 41),
    ("FASCES-OAK", "Bundle of rods, oak, without the axe", 33),
    ("SUNDIAL-POCKET", "Pocket sundial", 29),
    ("SCALES-BRONZE", "Steelyard scales", 22),
    ("MOSAIC-KIT", "Mosaic kit, 2 000 stones", 17),
    ("HELMET-CREST", "Helmet with red crest", 12),
];

/// Who ordered the first may like the second.
const COMPANIONS: [(&str, &str, i64); 24] = [
    ("LAMP-OIL", "AMPHORA-OIL", 9),
    ("LAMP-OIL", "PAPYRUS-ROLL", 3),
    ("AMPHORA-OIL", "LAMP-OIL", 6),
    ("AMPHORA-OIL", "GARUM-JAR", 4),
    ("AMPHORA-WINE", "DICE-BONE", 6),
    ("AMPHORA-WINE", "GARUM-JAR", 4),
    ("GARUM-JAR", "AMPHORA-WINE", 5),
    ("DICE-BONE", "COIN-PURSE", 7),
    ("COIN-PURSE", "SCALES-BRONZE", 4),
    ("SCALES-BRONZE", "COIN-PURSE", 5),
    ("BOOK-WAX", "STYLUS-IRON", 9),
    ("STYLUS-IRON", "BOOK-WAX", 9),
    ("STYLUS-IRON", "PAPYRUS-ROLL", 4),
    ("PAPYRUS-ROLL", "STYLUS-IRON", 5),
    ("TOGA-WHITE", "LAUREL-WREATH", 7),
    ("TOGA-WHITE", "SANDALS-LEATHER", 6),
    ("TUNIC-LINEN", "SANDALS-LEATHER", 7),
    ("TUNIC-LINEN", "BROOCH-BRONZE", 4),
    ("SANDALS-LEATHER", "CLOAK-WOOL", 5),
    ("CLOAK-WOOL", "BROOCH-BRONZE", 8),
    ("LAUREL-WREATH", "TOGA-WHITE", 6),
    ("FASCES-OAK", "TOGA-WHITE", 5),
    ("HELMET-CREST", "CLOAK-WOOL", 6),
    ("SUNDIAL-POCKET", "MOSAIC-KIT", 2),
];

/// Makes them unless this store was ever seeded.
pub async fn seed(store: &Store) -> Result<(), Error> {
    let mut write = store.write().await?;
    let first = sqlx::query("INSERT INTO once (deed) VALUES ($1) ON CONFLICT (deed) DO NOTHING")
        .bind(DEED)
        .execute(&mut *write)
        .await?;
    if first.rows_affected() == 1 {
        for (sku, name, score) in ITEMS {
            sqlx::query("INSERT INTO items (sku, name, score) VALUES ($1, $2, $3)")
                .bind(sku)
                .bind(name)
                .bind(score)
                .execute(&mut *write)
                .await?;
        }
        for (sku, goes_with, weight) in COMPANIONS {
            sqlx::query("INSERT INTO companions (sku, goes_with, weight) VALUES ($1, $2, $3)")
                .bind(sku)
                .bind(goes_with)
                .bind(weight)
                .execute(&mut *write)
                .await?;
        }
    }
    write.commit().await?;
    Ok(())
}
