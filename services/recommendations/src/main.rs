//! The recommendations service: what it is called, what it is built from. The rest is in `lib.rs`.

use recommendations::{MIGRATIONS, Settings, build};
use service::Spec;

fn main() -> std::process::ExitCode {
    service::run(Spec {
        name: "recommendations",
        version: env!("CARGO_PKG_VERSION"),
        defaults: include_str!("../recommendations.toml"),
        migrations: Some(&MIGRATIONS),
        check: |settings: &Settings, _| settings.check(),
        build,
    })
}
