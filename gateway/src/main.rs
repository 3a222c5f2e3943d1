//! The gateway's process: what it is called, what it is built from. The rest is in `lib.rs`.

use gateway::{DEFAULTS, build, check};
use service::Spec;

fn main() -> std::process::ExitCode {
    service::run(Spec {
        name: "gateway",
        version: env!("CARGO_PKG_VERSION"),
        defaults: DEFAULTS,
        migrations: None,
        check,
        build,
    })
}
