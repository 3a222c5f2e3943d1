//! The real tools, and how they get onto this machine.
//!
//! A part is looked for in three ways, in this order, and whoever asks is told which way it took:
//! it is there already (its environment variable, then `PATH` where that one is new enough, then the user's cache), it is fetched as the publisher's release archive, or it is built from Go modules.
//! Whatever is fetched or built goes into the cache under a name with its version, first under a temporary name: a half-written tool is never found.
//! What cannot be had is an error that names the one line that helps.

mod archive;
mod compose;
mod find;
mod go;
mod version;

pub use compose::compose;
pub use find::on_path;

use std::path::PathBuf;

use crate::error::Error;
use crate::place::Place;
use crate::reporter::Reporter;

/// A tool that the system needs or can use.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub name: &'static str,
    pub version: &'static str,
    /// The lowest version that is taken from `PATH`: what a system's package manager installed may be years old.
    pub least: &'static str,
    /// The environment variable that names a binary.
    pub variable: &'static str,
    /// The arguments that print its version.
    pub version_args: &'static [&'static str],
    /// The commands that cannot do without it; where none is named, nothing can.
    pub needed_by: &'static [&'static str],
    /// What is built by Go where no archive can be had.
    go: Option<GoBuild>,
    /// The publisher's release server, when its archives are laid out as HashiCorp's are.
    releases: Option<&'static str>,
}

/// How Go builds a part.
#[derive(Clone, Copy, Debug)]
struct GoBuild {
    /// The folder below `tests/stack/tools/` whose module pins it: parts of one project share one.
    module: &'static str,
    package: &'static str,
    /// Build tags, separated by commas; empty for none.
    tags: &'static str,
    /// The variable that a release build puts its version into, where the module does not know it.
    version_in: Option<&'static str>,
}

pub const CONSUL: Part = Part {
    name: "consul",
    version: "1.22.6",
    least: "1.20",
    variable: "CONSUL_BIN",
    version_args: &["version"],
    needed_by: &[],
    go: Some(GoBuild {
        module: "consul",
        package: "github.com/hashicorp/consul",
        tags: "",
        version_in: None,
    }),
    releases: Some("https://releases.hashicorp.com"),
};

/// Of the ways to find targets only Consul's is built in (a list in a file always is): a fraction of the time and half the size.
const PROMETHEUS_TAGS: &str = "remove_all_sd,enable_consul_sd";

const PROMETHEUS_VERSION: &str = "github.com/prometheus/common/version.Version";

pub const PROMETHEUS: Part = Part {
    name: "prometheus",
    version: "3.14.0",
    least: "3",
    variable: "PROMETHEUS_BIN",
    version_args: &["--version"],
    needed_by: &[
        "cargo stack up --with prometheus",
        "cargo stack k6",
        "cargo stack test",
    ],
    go: Some(GoBuild {
        module: "prometheus",
        package: "github.com/prometheus/prometheus/cmd/prometheus",
        tags: PROMETHEUS_TAGS,
        version_in: Some(PROMETHEUS_VERSION),
    }),
    releases: None,
};

/// Checks Prometheus' configuration and tests its rules.
pub const PROMTOOL: Part = Part {
    name: "promtool",
    version: "3.14.0",
    least: "3",
    variable: "PROMTOOL_BIN",
    version_args: &["--version"],
    needed_by: &["cargo stack test"],
    go: Some(GoBuild {
        module: "prometheus",
        package: "github.com/prometheus/prometheus/cmd/promtool",
        tags: PROMETHEUS_TAGS,
        version_in: Some(PROMETHEUS_VERSION),
    }),
    releases: None,
};

/// The module's tag 1.76.0 carries the program 2.13; newer ones are in no module registry.
pub const JAEGER: Part = Part {
    name: "jaeger",
    version: "2.13.0",
    least: "2",
    variable: "JAEGER_BIN",
    version_args: &["version"],
    needed_by: &["cargo stack up --with jaeger", "cargo stack test"],
    go: Some(GoBuild {
        module: "jaeger",
        package: "github.com/jaegertracing/jaeger/cmd/jaeger",
        tags: "",
        version_in: None,
    }),
    releases: None,
};

pub const K6: Part = Part {
    name: "k6",
    version: "2.2.0",
    least: "2",
    variable: "K6_BIN",
    version_args: &["version"],
    needed_by: &["cargo stack k6", "cargo stack test"],
    go: Some(GoBuild {
        module: "k6",
        package: "go.k6.io/k6/v2",
        tags: "",
        version_in: None,
    }),
    releases: None,
};

/// The plugin that `docker compose` runs; it runs alone, too.
pub const DOCKER_COMPOSE: Part = Part {
    name: "docker-compose",
    version: "2.40.3",
    least: "2",
    variable: "DOCKER_COMPOSE_BIN",
    version_args: &["version"],
    needed_by: &["docker compose up", "cargo stack test"],
    go: Some(GoBuild {
        module: "docker-compose",
        package: "github.com/docker/compose/v2/cmd",
        tags: "",
        version_in: None,
    }),
    releases: None,
};

/// The plugin with which `docker build` has BuildKit; it runs alone, too. Not newer: what follows no longer speaks to the engine of Debian 12.
pub const DOCKER_BUILDX: Part = Part {
    name: "docker-buildx",
    version: "0.30.1",
    least: "0.13",
    variable: "DOCKER_BUILDX_BIN",
    version_args: &["version"],
    needed_by: &["docker build", "cargo stack test --only compose"],
    go: Some(GoBuild {
        module: "docker-buildx",
        package: "github.com/docker/buildx/cmd/buildx",
        tags: "",
        version_in: Some("github.com/docker/buildx/version.Version"),
    }),
    releases: None,
};

/// All parts, for `doctor`.
pub const ALL: &[Part] = &[
    CONSUL,
    PROMETHEUS,
    PROMTOOL,
    JAEGER,
    K6,
    DOCKER_COMPOSE,
    DOCKER_BUILDX,
];

/// Where a part was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub path: PathBuf,
    pub way: String,
}

impl Part {
    /// The part if it is on this machine already.
    pub async fn find(&self) -> Result<Option<Found>, Error> {
        find::find(self).await
    }

    /// Why the one on `PATH` is not taken, when there is one and it is not.
    pub async fn passed_over(&self) -> Option<String> {
        find::fitting(self).await?.err()
    }

    /// Whether nothing runs without it.
    pub fn required(&self) -> bool {
        self.needed_by.is_empty()
    }

    /// The part, brought here if need be.
    pub async fn get(&self, place: &Place, reporter: &Reporter) -> Result<Found, Error> {
        if let Some(found) = self.find().await? {
            return Ok(found);
        }
        let mut tried = Vec::from_iter(self.passed_over().await);
        if let Some(server) = self.releases {
            match archive::fetch(self, &archive::server(server), reporter).await {
                Ok(found) => return Ok(found),
                Err(why) => tried.push(why),
            }
        }
        if let Some(build) = &self.go {
            match go::build(self, build, place, reporter).await {
                Ok(found) => return Ok(found),
                Err(why) => tried.push(why),
            }
        }
        tried.push(self.hint());
        Err(Error::Missing {
            name: self.name.to_owned(),
            why: tried.join("; "),
        })
    }

    /// The line that brings it.
    pub fn hint(&self) -> String {
        let way = match self.releases {
            Some(_) => "from the network, or with Go 1.26",
            None => "with Go 1.26",
        };
        format!(
            "cargo stack doctor --fetch {} gets it ({way}), or set {}=/path/to/{}",
            self.name, self.variable, self.name
        )
    }

    /// Where it is kept once it is here.
    pub fn cached(&self) -> Result<PathBuf, Error> {
        find::cache().map(|cache| cache.join(format!("{}-{}", self.name, self.version)))
    }

    /// A name beside the cached one, on the same file system, for what is not whole yet.
    fn unfinished(&self) -> Result<PathBuf, Error> {
        let path = self
            .cached()?
            .with_added_extension(format!("part-{}", std::process::id()));
        let folder = path.parent().expect("the cache is a folder");
        std::fs::create_dir_all(folder)
            .map_err(Error::io(format!("creating {}", folder.display())))?;
        Ok(path)
    }
}
