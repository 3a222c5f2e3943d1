//! The Docker engine and its compose plugin: one line in, what it said out; a line that fails ends the test with what it said.
//!
//! The project has a name and ports of its own, so that a system of the same machine is not touched.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Output;

use serde_json::Value;
use stack::parts::{self, Part};
use stack::{Client, Place, Reporter};
use tokio::process::Command;

const PROJECT: &str = "lictor-e2e";

/// What our images are called here.
pub const IMAGES: &str = "lictor-e2e";

/// Published ports, and the variables that move them.
const PORTS: [(&str, &str); 8] = [
    ("gateway", "LICTOR_GATEWAY_PORT"),
    ("ops", "LICTOR_GATEWAY_OPS_PORT"),
    ("admin", "LICTOR_GATEWAY_ADMIN_PORT"),
    ("consul", "LICTOR_CONSUL_PORT"),
    ("prometheus", "LICTOR_PROMETHEUS_PORT"),
    ("grafana", "LICTOR_GRAFANA_PORT"),
    ("jaeger", "LICTOR_JAEGER_PORT"),
    ("otlp", "LICTOR_OTLP_PORT"),
];

pub struct Engine {
    pub place: Place,
    compose: Vec<OsString>,
    ports: BTreeMap<&'static str, u16>,
}

impl Engine {
    /// The engine of this machine; without one, the line that brings it.
    pub async fn here() -> Self {
        let place = Place::find().unwrap();
        let asked = output(&mut Command::new("docker"), &["version"]).await;
        assert!(
            asked.as_ref().is_ok_and(|out| out.status.success()),
            "no Docker engine answers; it comes with: apt-get install docker.io, and dockerd & where nothing starts it ({})",
            asked.map_or_else(|why| why.to_string(), |out| said(&out)),
        );
        let reporter = Reporter::new(|line| println!("{line}"));
        let compose = parts::compose(&place, &reporter).await;
        let compose = compose.unwrap_or_else(|why| panic!("{why}"));
        // All at once, so that no port is given twice.
        let listeners: Vec<_> = PORTS
            .iter()
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        let ports = PORTS
            .iter()
            .zip(&listeners)
            .map(|((name, _), listener)| (*name, listener.local_addr().unwrap().port()))
            .collect();
        let engine = Self {
            place,
            compose,
            ports,
        };
        engine.down().await;
        engine
    }

    pub fn port(&self, name: &str) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[name]).into()
    }

    pub async fn docker(&self, args: &[&str]) -> String {
        told(
            "docker",
            output(&mut Command::new("docker"), args).await,
            args,
        )
    }

    /// What a line said and how it ended, where it may end badly.
    pub async fn ends(&self, args: &[&str]) -> (Option<i32>, String) {
        let out = output(&mut Command::new("docker"), args).await.unwrap();
        (out.status.code(), said(&out))
    }

    /// Whether the engine has the image.
    pub async fn has(&self, image: &str) -> bool {
        let asked = output(&mut Command::new("docker"), &["image", "inspect", image]).await;
        asked.is_ok_and(|out| out.status.success())
    }

    pub async fn compose(&self, args: &[&str]) -> String {
        let mut command = Command::new(&self.compose[0]);
        command
            .args(&self.compose[1..])
            .args(["-p", PROJECT, "-f"])
            .arg(self.place.root().join("compose.yaml"))
            .env("LICTOR_IMAGES", IMAGES);
        for (name, variable) in PORTS {
            command.env(variable, self.ports[name].to_string());
        }
        told("compose", output(&mut command, args).await, args)
    }

    /// Everything of this project, with its data.
    pub async fn down(&self) {
        self.compose(&["--profile", "load", "down", "-v", "--remove-orphans"])
            .await;
    }

    /// Containers, networks and volumes of this project.
    pub async fn left(&self) -> String {
        let filter = format!("label=com.docker.compose.project={PROJECT}");
        let mut left = String::new();
        for kind in ["container", "network", "volume"] {
            let mut args = vec![kind, "ls", "-q", "--filter", &filter];
            if kind == "container" {
                args.push("-a");
            }
            left += &self.docker(&args).await;
        }
        left
    }

    /// What each container holds, and the sum.
    pub async fn memory(&self) -> String {
        let names = self.compose(&["ps", "-q"]).await;
        let mut args = vec![
            "stats",
            "--no-stream",
            "--format",
            "{{.Name}} {{.MemUsage}}",
        ];
        args.extend(names.lines());
        let table = self.docker(&args).await;
        let sum: f64 = table.lines().filter_map(mebibytes).sum();
        format!("{table}together {sum:.0} MiB")
    }

    /// An instant query.
    pub async fn prometheus(&self, query: &str) -> Result<Value, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric();
        let encoded: String = query
            .bytes()
            .map(|byte| match byte {
                byte if plain(byte) => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let client = Client::new(self.port("prometheus"));
        let answer = client.get(&format!("/api/v1/query?query={encoded}")).await;
        answer
            .map(|answer| answer.json())
            .map_err(|why| why.to_string())
    }
}

/// A tool of `cargo stack doctor`, brought here if need be.
pub async fn get(name: &str, place: &Place) -> std::path::PathBuf {
    let part: &Part = parts::ALL
        .iter()
        .find(|part| part.name == name)
        .unwrap_or_else(|| panic!("the runner knows no part {name}"));
    let found = part
        .get(place, &Reporter::new(|line| println!("{line}")))
        .await;
    found.unwrap_or_else(|why| panic!("{why}")).path
}

/// `NAME 12.3MiB / 64MiB`.
fn mebibytes(line: &str) -> Option<f64> {
    let used = line.split_whitespace().nth(1)?;
    let at = used.find(|letter: char| letter.is_ascii_alphabetic())?;
    let number: f64 = used[..at].parse().ok()?;
    Some(match &used[at..] {
        "GiB" => number * 1024.0,
        "MiB" => number,
        _ => number / 1024.0,
    })
}

pub async fn output(command: &mut Command, args: &[&str]) -> std::io::Result<Output> {
    command.args(args).kill_on_drop(true).output().await
}

pub fn told(name: &str, out: std::io::Result<Output>, args: &[&str]) -> String {
    let out = out.unwrap_or_else(|why| panic!("{name}: {why}"));
    assert!(
        out.status.success(),
        "{name} {}: {}",
        args.join(" "),
        said(&out)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

pub fn said(out: &Output) -> String {
    let all = [out.stdout.as_slice(), out.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}
