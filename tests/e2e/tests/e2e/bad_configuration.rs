//! Bad configuration ends a process with exit code 64 and one line that says key, value and reason.

use stack::Place;
use std::process::{Command, Output};

fn run(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let binary = Place::find().unwrap().binary(program);
    Command::new(&binary)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; build it: cargo build --profile stack",
                binary.display()
            )
        })
}

#[test]
fn each_bad_value_is_told_as_key_value_and_reason_before_anything_binds() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken.toml");
    std::fs::write(&broken, "[server\n").unwrap();
    let broken = broken.to_str().unwrap();
    for (program, arguments, variables, told) in [
        (
            "users",
            vec![],
            vec![("LICTOR_SERVER__WORKERS", "many")],
            ["server.workers", "many"],
        ),
        (
            "users",
            vec![],
            vec![("LICTOR_SERVER__WOKERS", "2")],
            ["server.wokers", "2"],
        ),
        (
            "users",
            vec![],
            vec![("LICTOR_SERVER__PUBLIC", "nowhere")],
            ["server.public", "nowhere"],
        ),
        (
            "users",
            vec![],
            vec![("LICTOR_IDENTITY__ZONE", "Zone A")],
            ["identity.zone", "Zone A"],
        ),
        (
            "users",
            vec![],
            vec![("LICTOR_CONSUL__ADDRESS", "ftp://x")],
            ["consul.address", "ftp://x"],
        ),
        (
            "users",
            vec![],
            vec![("LICTOR_STORE__URL", "mysql://x")],
            ["store.url", "mysql"],
        ),
        (
            "users",
            vec!["--config", broken],
            vec![],
            ["--config", "broken.toml"],
        ),
        (
            "gateway",
            vec![],
            vec![("LICTOR_TELEMETRY__SAMPLE_RATIO", "2")],
            ["telemetry.sample_ratio", "2"],
        ),
        (
            "gateway",
            vec!["--config", "/no/such/file.toml"],
            vec![],
            ["--config", "/no/such/file.toml"],
        ),
        ("gateway", vec!["--colour"], vec![], ["--colour", ""]),
    ] {
        let output = run(program, &arguments, &variables);
        let line = String::from_utf8(output.stderr).unwrap();
        println!(
            "{program} {arguments:?} {variables:?} -> {:?} {}",
            output.status.code(),
            line.trim()
        );
        assert_eq!(output.status.code(), Some(64), "{line}");
        assert_eq!(line.trim().lines().count(), 1, "{line}");
        assert!(
            told.iter().all(|word| line.contains(word)),
            "{told:?} in {line}"
        );
    }
}

#[test]
fn a_taken_port_and_an_unwritable_directory_are_one_clear_line() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (variable, value, told) in [
        ("LICTOR_SERVER__PUBLIC", taken.as_str(), "server.public"),
        (
            "LICTOR_STORE__URL",
            "sqlite:///proc/no/users.db",
            "store.url",
        ),
    ] {
        let output = run("users", &[], &[(variable, value)]);
        let line = String::from_utf8(output.stderr).unwrap();
        println!(
            "{variable}={value} -> {:?} {}",
            output.status.code(),
            line.trim()
        );
        assert_eq!(output.status.code(), Some(69), "{line}");
        assert!(line.contains(told), "{line}");
    }
}
