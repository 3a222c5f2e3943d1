//! The live page in a real browser: what runs, what is broken, and why each request went where it went.

mod browser;

use std::time::Duration;

use serde_json::{Value, json};
use stack::{Client, wait};

use self::browser::Browser;
use super::system::{System, eventually, ok};

/// The page asks once a second, the watch of Consul is told at once; the machine may be busy.
const SOON: Duration = Duration::from_secs(15);

/// An instance that nobody calls, whose names would be markup if the page let them.
const HOSTILE: &str = "<script>document.title='taken'</script>";

/// The smallest windows that there are, and common ones.
const WIDTHS: [u32; 5] = [320, 360, 600, 900, 1280];

async fn sees(browser: &mut Browser, wanted: &[&str]) -> String {
    let browser = tokio::sync::Mutex::new(browser);
    let seen = wait::until("the page", SOON, || async {
        let text = browser.lock().await.text().await;
        match wanted.iter().find(|wanted| !text.contains(**wanted)) {
            None => Ok(text),
            Some(missing) => Err(format!("no {missing:?} in:\n{text}")),
        }
    });
    seen.await.unwrap_or_else(|error| panic!("{error}"))
}

async fn a_hostile_instance_is_registered(system: &System) {
    let consul = Client::new(system.consul().address());
    let registration = json!({
        "ID": HOSTILE, "Name": "recommendations", "Address": "127.0.0.1", "Port": 9,
        "Meta": { "zone": "<b>bold</b>", "version": "<i>" },
        "Check": { "TTL": "1h", "Status": "critical" },
    });
    ok(consul
        .put("/v1/agent/service/register", &registration)
        .await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_page_shows_what_runs_what_is_broken_and_why() {
    let mut browser = Browser::start().await;
    let system = System::start("live-page").await;
    let gateway = system.gateway().addresses;
    let admin = Client::new(gateway.admin).with_token(&system.keys().admin_token);
    a_hostile_instance_is_registered(&system).await;
    let known = eventually(&admin, "/upstreams", SOON, |answer| {
        answer.text().contains("document.title")
    });
    let upstreams = known.await.json()["upstreams"].clone();

    let client = system.client();
    ok(client.get("/api/users").await);
    ok(client.get("/api/inventory/items").await);
    let open = json!({ "mode": "forced_open" });
    ok(admin.put("/upstreams/inventory/breaker", &open).await);
    ok(client.get("/api/inventory/items").await);

    browser.window(1280, 900, "light").await;
    browser.open(&format!("http://{}/", gateway.admin)).await;
    let text = sees(
        &mut browser,
        &[
            "● live",
            "inventory: breaker open",
            "forced open",
            "users in zone a, local",
            "circuit open → the last good answer stands in",
            HOSTILE,
            // What is no label is not taken over from Consul.
            "zone unknown",
        ],
    )
    .await;
    for instance in upstreams.as_array().unwrap().iter().flat_map(instances) {
        assert!(text.contains(&instance), "no {instance} in:\n{text}");
    }
    let title = browser.value("document.title").await;
    let marked =
        browser.value("document.querySelectorAll('b:not(summary b), i, body script').length");
    assert_eq!((title, marked.await), (json!("Lictor live"), json!(0)));

    it_fits(&mut browser, &system).await;
    a_row_opens_by_keyboard(&mut browser).await;
    let complaints = std::mem::take(&mut browser.complaints);
    assert!(complaints.is_empty(), "{complaints:?}");

    system.kill("gateway-1").await.unwrap();
    sees(&mut browser, &["stale since"]).await;
    system.restart("gateway-1").await.unwrap();
    sees(&mut browser, &["● live"]).await;
    browser.close().await;
    system.stop().await;
}

fn instances(upstream: &Value) -> Vec<String> {
    let all = upstream["endpoints"].as_array().unwrap().iter();
    all.map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

/// No window is too narrow, and both schemes are served.
async fn it_fits(browser: &mut Browser, system: &System) {
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        for width in WIDTHS {
            browser.window(width, 900, scheme).await;
            // A scroll bar for the height takes some of the width.
            let fits =
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
            let fits = browser.value(fits).await;
            assert_eq!(fits, json!(true), "{scheme}, {width}: it scrolls sideways");
            let file = format!("live-page-{scheme}-{width}.png");
            browser.picture(&system.place().state().join(file)).await;
        }
        let ground = browser.value("getComputedStyle(document.body).backgroundColor");
        grounds.push(ground.await);
    }
    assert_ne!(grounds[0], grounds[1]);
    println!(
        "pictures of the live page: {}",
        system.place().state().display()
    );
}

async fn a_row_opens_by_keyboard(browser: &mut Browser) {
    /// The numbers that keyboards have for them.
    const TAB: u32 = 9;
    const ENTER: u32 = 13;
    // Held, so that what is looked at stays.
    browser
        .value("document.getElementById('hold').click()")
        .await;
    browser
        .value("document.getElementById('all').focus()")
        .await;
    browser.press("Tab", TAB).await;
    browser.press("Enter", ENTER).await;
    let opened = browser
        .value("document.activeElement.parentElement.open")
        .await;
    assert_eq!(opened, json!(true), "the row after the last control");
    let told = sees(browser, &["trace"]).await;
    assert!(
        told.contains("fallback"),
        "the newest is the one from the cache:\n{told}"
    );
    browser
        .value("document.getElementById('hold').click()")
        .await;
}
