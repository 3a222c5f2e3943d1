//! The images that the `Dockerfile` builds on, under the names that it pins, from this machine's own files.
//!
//! To compile: what Debian's packages put here, the toolchain that compiles this test, and cargo's settings, so that crates come from wherever they come from outside.
//! To run: the C library and nothing else, because that is what our binaries may ask for; the user and the folder of the distroless image.
//! An image that the engine has already is used and kept; a stand-in goes when the test ends, because nobody else should build on it unawares.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::engine::Engine;
use super::tree::{LABEL, Tree};

/// What the `RUN` of the build stage calls, and what rustc and build scripts do: C, no C++.
const TO_COMPILE: &[&str] = &["dash", "coreutils", "findutils", "gcc", "libc6-dev"];

const TO_RUN: &[&str] = &["libc6", "libgcc-s1"];

/// Never read by a compiler.
const TEXTS: [&str; 4] = ["doc", "info", "locale", "man"];

const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes those that are missing, and tells their names.
pub async fn missing(engine: &Engine) -> Vec<String> {
    let text = std::fs::read_to_string(engine.place.root().join("Dockerfile")).unwrap();
    let mut made = Vec::new();
    for argument in ["RUST_IMAGE", "RUNTIME_IMAGE"] {
        let line = format!("ARG {argument}=");
        let image = text.lines().find_map(|one| one.strip_prefix(&line));
        let image = image.unwrap_or_else(|| panic!("the Dockerfile has no {line}"));
        if engine.has(image).await && !left_behind(engine, image).await {
            continue;
        }
        match argument {
            "RUST_IMAGE" => to_compile(engine, image).await,
            _ => to_run(engine, image).await,
        }
        made.push(image.to_owned());
    }
    made
}

/// By a run that failed: away with it, the toolchain may be another by now.
async fn left_behind(engine: &Engine, image: &str) -> bool {
    let labels = ["image", "inspect", "-f", "{{.Config.Labels}}", image];
    let ours = engine.docker(&labels).await.contains(LABEL);
    if ours {
        engine.docker(&["image", "rm", image]).await;
    }
    ours
}

async fn to_compile(engine: &Engine, image: &str) {
    let mut tree = Tree::new(engine, "rust");
    tree.take(debian(TO_COMPILE));
    tree.link("usr/bin/cc", "gcc");
    let sysroot = PathBuf::from(told("rustc", &["--print", "sysroot"]).trim_end());
    let parts = ["bin", "lib"].map(|part| sysroot.join(part).to_string_lossy().into_owned());
    let all = told("find", &parts.each_ref().map(String::as_str));
    tree.take(all.lines().map(PathBuf::from));
    for name in ["cargo", "rustc"] {
        let program = sysroot.join("bin").join(name);
        tree.link(
            &format!("usr/local/cargo/bin/{name}"),
            &program.to_string_lossy(),
        );
    }
    tree.take([CERTIFICATES.into()]);
    if let Some(settings) = settings().filter(|file| file.is_file()) {
        let text = std::fs::read_to_string(settings).unwrap();
        tree.file("usr/local/cargo/config.toml", &text, 0o644);
    }
    let changes = [
        "ENV PATH=/usr/local/cargo/bin:/usr/local/bin:/usr/bin:/bin",
        "ENV CARGO_HOME=/usr/local/cargo",
    ];
    tree.import(engine, image, &changes).await;
}

/// Where cargo has those of this user.
fn settings() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    Some(home.join("config.toml"))
}

async fn to_run(engine: &Engine, image: &str) {
    let mut tree = Tree::new(engine, "distroless");
    tree.take(debian(TO_RUN));
    tree.folder("home/nonroot", 0o1777);
    tree.import(engine, image, &["USER 65532", "WORKDIR /home/nonroot"])
        .await;
}

/// Every file of these packages and of those that they depend on, and the links that lead from `/bin` to `/usr/bin`.
fn debian(packages: &[&str]) -> Vec<PathBuf> {
    const ALL: &[&str] = &[
        "depends",
        "--recurse",
        "--installed",
        "--no-recommends",
        "--no-suggests",
        "--no-enhances",
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
    ];
    let known = told("apt-cache", &[ALL, packages].concat());
    // A package has a line of its own; what it depends on is indented, what many provide is in brackets.
    let known = known.lines().filter(|line| !line.starts_with([' ', '<']));
    let listed = told("dpkg", &["-L"].into_iter().chain(known).collect::<Vec<_>>());
    let texts = TEXTS.map(|name| Path::new("/usr/share").join(name));
    let links = ["/bin", "/lib", "/lib64", "/sbin"].map(PathBuf::from);
    listed
        .lines()
        .map(PathBuf::from)
        .filter(|path| path.is_absolute() && !texts.iter().any(|text| path.starts_with(text)))
        .chain(links)
        .collect()
}

fn told(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output();
    let out = out.unwrap_or_else(|why| panic!("{program}, of which the stand-ins are made: {why}"));
    assert!(
        out.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}
