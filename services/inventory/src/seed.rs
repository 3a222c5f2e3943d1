//! Twenty items for an empty store, made once in its life by whichever instance writes first.

use crate::clock::now_ms;
use service::{Error, Store};

const DEED: &str = "seed_items";
/// Enough for hours of load; a test that wants a shortage sets its own stock.
const STOCK: i64 = 1_000_000;

/// SKU, name, price in cents.
const ITEMS: [(&str, &str, i64); 20] = [
    ("AMPHORA-OIL", "Amphora of olive oil", 4_590),
    ("AMPHORA-WINE", "Amphora of Falernian wine", 6_990),
    ("BOOK-WAX", "Wax tablet, two leaves", 1_250),
    ("BROOCH-BRONZE", "Bronze brooch", 2_990),
    ("CLOAK-WOOL", "Woollen travelling cloak", 12_900),
    ("COIN-PURSE", "Leather coin purse", 1_890),
    ("DICE-BONE", "Pair of bone dice", 790),
    ("FASCES-OAK", "Bundle of rods, oak, without the axe", 8_900),
    ("GARUM-JAR", "Jar of garum", 990),
    ("HELMET-CREST", "Helmet with red crest", 24_900),
    ("LAMP-OIL", "Oil lamp, terracotta", 1_490),
    ("LAUREL-WREATH", "Laurel wreath", 3_490),
    ("MOSAIC-KIT", "Mosaic kit, 2 000 stones", 7_490),
    ("PAPYRUS-ROLL", "Papyrus roll", 2_190),
    ("SANDALS-LEATHER", "Leather sandals", 5_990),
    ("SCALES-BRONZE", "Steelyard scales", 9_900),
    ("STYLUS-IRON", "Iron stylus", 590),
    ("SUNDIAL-POCKET", "Pocket sundial", 11_900),
    ("TOGA-WHITE", "White toga", 14_900),
    ("TUNIC-LINEN", "Linen tunic", 6_490),
];

/// Makes them unless this store was ever seeded.
pub async fn seed(store: &Store) -> Result<(), Error> {
    let mut write = store.write().await?;
    let first = sqlx::query("INSERT INTO once (deed) VALUES ($1) ON CONFLICT (deed) DO NOTHING")
        .bind(DEED)
        .execute(&mut *write)
        .await?;
    if first.rows_affected() == 1 {
        for (sku, name, price) in ITEMS {
            sqlx::query(
                "INSERT INTO items (sku, name, price_cents, stock, reserved, updated_at_ms)
                 VALUES ($1, $2, $3, $4, 0, $5)",
            )
            .bind(sku)
            .bind(name)
            .bind(price)
            .bind(STOCK)
            .bind(now_ms())
            .execute(&mut *write)
            .await?;
        }
    }
    write.commit().await?;
    Ok(())
}
