//! `docker build` with BuildKit: by the client's plugin, or by the plugin alone where the client has none.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use stack::Place;
use tokio::process::Command;

use super::engine::{get, output, said, told};

pub struct Builder {
    place: Place,
    build: Vec<OsString>,
}

/// One image, built.
pub struct Built {
    pub took: Duration,
    /// Every step, and what its commands said.
    pub log: String,
}

impl Builder {
    pub async fn here(place: &Place) -> Self {
        let plugin = output(&mut Command::new("docker"), &["buildx", "version"]).await;
        let build = if plugin.is_ok_and(|out| out.status.success()) {
            vec!["docker".into(), "build".into()]
        } else {
            let plugin = get("docker-buildx", place).await;
            vec![plugin.into_os_string(), "build".into()]
        };
        Self {
            place: place.clone(),
            build,
        }
    }

    /// From the folder as it is. The host's network, because a bridge's names may lead elsewhere than ours.
    pub async fn build(&self, binary: &str, image: &str) -> Built {
        let begin = Instant::now();
        let mut command = Command::new(&self.build[0]);
        command
            .args(&self.build[1..])
            .current_dir(self.place.root())
            .env("DOCKER_BUILDKIT", "1");
        let argument = format!("BINARY={binary}");
        let args = [
            "--network",
            "host",
            "--progress",
            "plain",
            "--build-arg",
            &argument,
            "-t",
            image,
            ".",
        ];
        let out = output(&mut command, &args).await;
        let log = out.as_ref().map_or_else(|_| String::new(), said);
        told("docker build", out, &args);
        Built {
            took: begin.elapsed(),
            log,
        }
    }
}
