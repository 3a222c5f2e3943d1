//! Grafana, where its image is: it is well, and shows the dashboards that are in the repository, the overview first.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use stack::{Client, wait};

use super::engine::Engine;

/// It makes its database at the first start.
const PROVISIONED: Duration = Duration::from_secs(60);

/// Whether the engine has the image that `compose.yaml` pins; if not, that is said, with the line that brings it.
pub async fn is_here(engine: &Engine) -> bool {
    let images = engine.compose(&["config", "--images"]).await;
    let image = images
        .lines()
        .find(|image| image.starts_with("grafana/grafana:"))
        .expect("compose.yaml pins Grafana");
    let here = engine.has(image).await;
    if !here {
        println!("without Grafana: the engine has no {image}; it comes with: docker pull {image}");
    }
    here
}

/// Asked as anybody: nobody signs in.
pub async fn shows_what_is_provisioned(engine: &Engine) {
    let grafana = Client::new(engine.port("grafana"));
    assert_eq!(
        asked(&grafana, "/api/health").await.unwrap()["database"],
        "ok"
    );

    let files = uids_of_files(engine);
    let found = wait::until("Grafana's dashboards", PROVISIONED, || async {
        let answer = asked(&grafana, "/api/search?type=dash-db").await?;
        let found = answer.as_array().into_iter().flatten();
        let found: BTreeSet<String> = found.map(|one| text(one, "uid")).collect();
        if found == files {
            Ok(found)
        } else {
            Err(answer.to_string())
        }
    });
    println!("Grafana shows {:?}", found.await.unwrap());

    let home = asked(&grafana, "/api/dashboards/home").await.unwrap();
    assert_eq!(home["dashboard"]["title"], "Lictor: Overview", "{home}");
}

async fn asked(grafana: &Client, path: &str) -> Result<Value, String> {
    let answer = grafana.get(path).await.map_err(|why| why.to_string())?;
    match answer.status {
        200 => Ok(answer.json()),
        status => Err(format!("{path}: {status}, {}", answer.text())),
    }
}

fn uids_of_files(engine: &Engine) -> BTreeSet<String> {
    let folder = engine.place.root().join("observability/grafana/dashboards");
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let uid = |file: std::fs::DirEntry| {
        let file = std::fs::read(file.path()).unwrap();
        text(&serde_json::from_slice(&file).unwrap(), "uid")
    };
    files.map(uid).collect()
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_default().to_owned()
}
