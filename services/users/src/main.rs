//! The users service: what it is called, what it is built from. The rest is in `lib.rs`.

use service::Spec;
use users::{MIGRATIONS, Settings, build};

fn main() -> std::process::ExitCode {
    service::run(Spec {
        name: "users",
        version: env!("CARGO_PKG_VERSION"),
        defaults: include_str!("../users.toml"),
        migrations: Some(&MIGRATIONS),
        check: |settings: &Settings, _| settings.check(),
        build,
    })
}
