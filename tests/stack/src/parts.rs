//! The real tools, and how they get onto this machine.
//!
//! A part is looked for in three ways, in this order, and whoever asks is told which way it took:
//! it is there already (its environment variable, then `PATH`, then the user's cache), it is fetched as the publisher's release archive, or it is built from Go modules.
//! Whatever is fetched or built goes into the cache under a name with its version, first under a temporary name: a half-written tool is never found.
//! What cannot be had is an error that names the one line that helps.

mod archive;
mod find;
mod go;

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
    /// The environment variable that names a binary.
    pub variable: &'static str,
    /// The arguments that print its version.
    pub version_args: &'static [&'static str],
    /// What is built by Go, from `tests/stack/tools/NAME/`.
    go_package: Option<&'static str>,
    /// The publisher's release server, when its archives are laid out as HashiCorp's are.
    releases: Option<&'static str>,
}

pub const CONSUL: Part = Part {
    name: "consul",
    version: "1.22.6",
    variable: "CONSUL_BIN",
    version_args: &["version"],
    go_package: Some("github.com/hashicorp/consul"),
    releases: Some("https://releases.hashicorp.com"),
};

pub const K6: Part = Part {
    name: "k6",
    version: "2.2.0",
    variable: "K6_BIN",
    version_args: &["version"],
    go_package: Some("go.k6.io/k6/v2"),
    releases: None,
};

/// All parts, for `doctor`.
pub const ALL: &[Part] = &[CONSUL, K6];

/// Where a part was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub path: PathBuf,
    pub way: String,
}

impl Part {
    /// The part if it is on this machine already.
    pub fn find(&self) -> Result<Option<Found>, Error> {
        find::find(self)
    }

    /// The part, brought here if need be.
    pub async fn get(&self, place: &Place, reporter: &Reporter) -> Result<Found, Error> {
        if let Some(found) = self.find()? {
            return Ok(found);
        }
        let mut tried = Vec::new();
        if let Some(server) = self.releases {
            match archive::fetch(self, &archive::server(server), reporter).await {
                Ok(found) => return Ok(found),
                Err(why) => tried.push(why),
            }
        }
        if let Some(package) = self.go_package {
            match go::build(self, package, place, reporter).await {
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
        format!(
            "cargo stack doctor --fetch {} gets it (from the network, or with Go 1.26), or set {}=/path/to/{}",
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
