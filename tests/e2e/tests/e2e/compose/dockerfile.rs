//! The real `Dockerfile`: what comes out of it is built from the folder as it is, and does what compose asks of an image.
//!
//! The folder must be left alone meanwhile: a file that changes between the two builds is a reason to compile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stack::{Client, wait};

use super::builder::Builder;
use super::engine::{Engine, IMAGES};
use super::{SERVICES, bases, ok, turn};

/// Of the container that is started here.
const NAME: &str = "lictor-e2e-built";

/// A start takes less than a second; the engine asks every five.
const WELL: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine on Debian (apt-get install docker.io gcc; dockerd &) and minutes: cargo stack test --full"]
async fn the_dockerfile_builds_once_for_all_binaries_and_its_images_run() {
    let _turn = turn().await;
    let engine = Engine::here().await;
    let builder = Builder::here(&engine.place).await;
    let bases = bases::missing(&engine).await;
    for image in &bases {
        println!("stand-in for {image}: {}", size(&engine, image).await);
    }

    let (gateway, users) = (image("gateway"), image(SERVICES[0]));
    for (image, binary) in [(&gateway, "gateway"), (&users, SERVICES[0])] {
        let built = builder.build(binary, image).await;
        let compiled = built.log.matches(" Compiling ").count();
        println!(
            "{binary} built in {:.1} s, {compiled} crates compiled: {}",
            built.took.as_secs_f64(),
            size(&engine, image).await
        );
        if image == &users {
            assert_eq!(compiled, 0, "the step is shared:\n{}", built.log);
        }
    }

    it_says_what_it_is_and_refuses_nonsense(&engine, &gateway).await;
    it_serves_as_nonroot_and_finds_itself_well(&engine, &users).await;

    let made = bases.iter().chain([&gateway, &users]);
    let mut args = vec!["image", "rm"];
    args.extend(made.map(String::as_str));
    engine.docker(&args).await;
}

async fn it_says_what_it_is_and_refuses_nonsense(engine: &Engine, gateway: &str) {
    let version = format!("gateway {}", env!("CARGO_PKG_VERSION"));
    for (args, code, word) in [
        (&[gateway, "--help"][..], 0, "Usage: gateway"),
        (&[gateway, "--version"], 0, &version),
        (&["-e", "LICTOR_EDGE__IN_FLIGHT=many", gateway], 64, "many"),
        (&[gateway, "--config", "/nowhere.toml"], 64, "/nowhere.toml"),
    ] {
        let (ended, said) = engine.ends(&[&["run", "--rm"], args].concat()).await;
        assert!(
            ended == Some(code) && said.contains(word),
            "{args:?}: {ended:?} {said}"
        );
    }
}

async fn it_serves_as_nonroot_and_finds_itself_well(engine: &Engine, users: &str) {
    engine.ends(&["rm", "-f", NAME]).await;
    let begin = Instant::now();
    // No Consul is near: it serves without.
    engine
        .docker(&["run", "-d", "--name", NAME, "-p", "127.0.0.1::8080", users])
        .await;
    let well = wait::until("the image's own health check", WELL, || async {
        let state = engine
            .docker(&["inspect", "-f", "{{.State.Health.Status}}", NAME])
            .await;
        match state.trim_end() {
            "healthy" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    well.await.unwrap();
    println!("users healthy after {:.1} s", begin.elapsed().as_secs_f64());

    let address = engine.docker(&["port", NAME, "8080"]).await;
    let address: SocketAddr = address.trim_end().parse().unwrap();
    ok(Client::new(address).get("/users").await);
    let processes = engine.docker(&["top", NAME, "-eo", "pid,uid"]).await;
    let owners: Vec<&str> = processes
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(owners, ["65532"], "{processes}");

    let begin = Instant::now();
    engine.docker(&["stop", "-t", "35", NAME]).await;
    let code = engine
        .docker(&["inspect", "-f", "{{.State.ExitCode}}", NAME])
        .await;
    assert_eq!(code.trim_end(), "0", "it drains and ends by itself");
    println!("users stopped after {:.1} s", begin.elapsed().as_secs_f64());
    engine.docker(&["rm", "-v", NAME]).await;
}

fn image(binary: &str) -> String {
    format!("{IMAGES}-built/{binary}:{}", env!("CARGO_PKG_VERSION"))
}

async fn size(engine: &Engine, image: &str) -> String {
    let bytes = engine
        .docker(&["image", "inspect", "-f", "{{.Size}}", image])
        .await;
    let bytes: f64 = bytes.trim_end().parse().unwrap();
    format!("{:.1} MB", bytes / 1e6)
}
