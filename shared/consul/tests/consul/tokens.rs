//! The token goes in the header, and a refused one is read again.

use std::time::Duration;

use consul::{Agent, AgentConfig, watch};

use crate::metrics;
use crate::scripted::{Scripted, answer, instance, status};

#[actix_web::test]
async fn a_refused_token_is_read_again_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first").unwrap();
    let scripted = Scripted::start([answer(5, &[instance("a", 1)]), status(403)]).await;
    let config = AgentConfig {
        address: scripted.address.clone(),
        token_file: Some(file.clone()),
        ..AgentConfig::default()
    };
    let agent = Agent::new(&config).unwrap();
    std::fs::write(&file, "second").unwrap();

    let (_, metrics) = metrics();
    let _view = watch::spawn(&agent, "users", &metrics);
    scripted.asked(3, Duration::from_secs(5)).await;
    let tokens = scripted.tokens();
    let tokens: Vec<&str> = tokens
        .iter()
        .map(|token| token.as_deref().unwrap())
        .collect();
    assert_eq!(tokens, ["first", "first", "second"]);
    assert!(
        scripted
            .lines()
            .iter()
            .all(|line| !line.contains("first") && !line.contains("token"))
    );
}
