//! A process that is told nonsense says which key, which value and why, and ends with 64 before it binds anything.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use stack::{Client, Place, Program};

use super::system::turn;

/// Configuration is checked before anything binds; a process that lives longer has accepted it.
const SOON: Duration = Duration::from_secs(10);

fn place() -> Place {
    let place = Place::find().unwrap();
    stack::binaries::check(&place).unwrap_or_else(|error| panic!("{error}"));
    place
}

/// Runs a binary that is expected to end by itself.
async fn run(binary: &str, folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = tokio::process::Command::new(place().binary(binary));
    command
        .args(args)
        .envs(env.iter().copied())
        .current_dir(folder)
        .kill_on_drop(true)
        .stdin(Stdio::null());
    tokio::time::timeout(SOON, command.output())
        .await
        .expect("it ends by itself")
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat())
        .into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_with_64_and_names_key_value_and_reason() {
    let _turn = turn().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    let rows: &[(&str, &str, &[&str])] = &[
        ("gateway", "[edge]\nhead_bites = 1\n", &["head_bites"]),
        (
            "gateway",
            "[edge]\nin_flight = \"many\"\n",
            &["edge.in_flight", "many"],
        ),
        (
            "gateway",
            "[keys.demo]\ndigest = \"zz\"\nsubject = \"demo\"\n",
            &["keys.demo", "zz"],
        ),
        (
            "users",
            "[server]\npublic = \"nowhere\"\n",
            &["server.public", "nowhere"],
        ),
        (
            "users",
            "[store]\nurl = \"gopher://x\"\n",
            &["store.url", "gopher"],
        ),
        (
            "orders",
            "[identity]\nzone = \"Not A Zone\"\n",
            &["identity.zone", "Not A Zone"],
        ),
        ("orders", "this is not toml", &["bad.toml"]),
    ];
    let mut wrong = Vec::new();
    for (binary, text, words) in rows {
        std::fs::write(&file, text).unwrap();
        let output = run(
            binary,
            folder.path(),
            &["--config", file.to_str().unwrap()],
            &[],
        )
        .await;
        let said = said(&output);
        if output.status.code() != Some(64) || !words.iter().all(|word| said.contains(word)) {
            wrong.push(format!("{binary} with {text:?}: {} {said}", output.status));
        }
    }
    let output = run(
        "users",
        folder.path(),
        &[],
        &[("LICTOR_SERVER__WORKERS", "some")],
    )
    .await;
    if output.status.code() != Some(64) || !said(&output).contains("some") {
        wrong.push(format!(
            "users with LICTOR_SERVER__WORKERS=some: {} {}",
            output.status,
            said(&output)
        ));
    }
    let output = run("users", folder.path(), &["--config", "/nowhere.toml"], &[]).await;
    if output.status.code() != Some(64) || !said(&output).contains("/nowhere.toml") {
        wrong.push(format!(
            "users with a file that is not there: {} {}",
            output.status,
            said(&output)
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_and_an_unwritable_store_are_told_in_one_clear_line() {
    let _turn = turn().await;
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let store = format!("sqlite://{}/users.db", folder.path().display());
    let free = [
        ("LICTOR_SERVER__OPS", "127.0.0.1:0"),
        ("LICTOR_SERVER__ADMIN", "127.0.0.1:0"),
    ];
    let output = run(
        "users",
        folder.path(),
        &[],
        &[
            &[
                ("LICTOR_SERVER__PUBLIC", address.as_str()),
                ("LICTOR_STORE__URL", &store),
            ][..],
            &free,
        ]
        .concat(),
    )
    .await;
    assert!(
        !output.status.success() && said(&output).contains(&address),
        "{} {}",
        output.status,
        said(&output)
    );

    let nowhere = "sqlite:///proc/nowhere/users.db";
    let output = run(
        "users",
        folder.path(),
        &[],
        &[
            &[
                ("LICTOR_SERVER__PUBLIC", "127.0.0.1:0"),
                ("LICTOR_STORE__URL", nowhere),
            ][..],
            &free,
        ]
        .concat(),
    )
    .await;
    assert!(
        !output.status.success() && said(&output).contains("/proc/nowhere"),
        "{} {}",
        output.status,
        said(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_consul_serves_and_says_so() {
    let _turn = turn().await;
    let folder = tempfile::tempdir().unwrap();
    let port = || {
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    };
    let (public, ops, admin) = (port(), port(), port());
    let env = [
        ("LICTOR_SERVER__PUBLIC", public.to_string()),
        ("LICTOR_SERVER__OPS", ops.to_string()),
        ("LICTOR_SERVER__ADMIN", admin.to_string()),
        (
            "LICTOR_STORE__URL",
            format!("sqlite://{}/users.db", folder.path().display()),
        ),
        ("LICTOR_CONSUL__ADDRESS", "http://127.0.0.1:9".to_owned()),
    ];
    let program = Program {
        name: "users".into(),
        path: place().binary("users"),
        args: Vec::new(),
        env: BTreeMap::from(env.map(|(key, value)| (key.to_owned(), value))),
        log: folder.path().join("users.log"),
    };
    let unit = stack::Unit::new(program, stack::Reporter::silent());
    unit.start().unwrap();
    super::system::eventually(&Client::new(public), "/users", SOON, |answer| {
        answer.status == 200
    })
    .await;
    let said = stack::wait::until("a word about Consul", SOON, || async {
        let words = unit.program().last_words(100);
        if words.to_lowercase().contains("consul") {
            Ok(())
        } else {
            Err(words)
        }
    });
    said.await.unwrap();
    assert!(unit.stop(SOON).await, "it drains without Consul too");
}

#[tokio::test]
async fn the_version_is_told_without_a_configuration() {
    let _turn = turn().await;
    for binary in [
        "gateway",
        "users",
        "orders",
        "inventory",
        "payments",
        "recommendations",
    ] {
        let output = Command::new(place().binary(binary))
            .arg("--version")
            .output()
            .unwrap();
        assert!(
            output.status.success() && said(&output).contains(binary),
            "{}",
            said(&output)
        );
    }
}
