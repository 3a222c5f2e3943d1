//! Images from local programs, under the names and tags that `compose.yaml` pins.
//!
//! A stand-in is the program, the libraries that it asks for, and what of the real image compose relies on: its user, its entry point, its folders, a shell where the real one has one.

use std::fs;
use std::path::Path;

use super::binaries;
use super::engine::{Engine, IMAGES, get};
use super::tree::Tree;

/// What the real image's entry point does for an empty volume and otherwise.
const POSTGRES: &str = r#"#!/bin/sh
set -e
case "$1" in -*) set -- postgres "$@" ;; esac
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  echo "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U postgres --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust --locale=C --encoding=UTF8
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  for file in /docker-entrypoint-initdb.d/*.sql; do
    psql -v ON_ERROR_STOP=1 -U postgres -d postgres -f "$file"
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@" -c listen_addresses='*'
"#;

/// The gateway and the services, from the binaries that `cargo stack up` runs.
pub async fn ours(engine: &Engine) {
    if std::env::var_os(stack::binaries::NO_BUILD).is_none() {
        let reporter = stack::Reporter::new(|line| println!("{line}"));
        stack::binaries::build(&engine.place, false, &reporter)
            .await
            .unwrap();
    }
    for name in binaries() {
        let tree = Tree::new(engine, name);
        tree.program(&engine.place.binary(name), "usr/local/bin/lictor");
        let image = format!("{IMAGES}/{name}:{}", env!("CARGO_PKG_VERSION"));
        let changes = ["USER 65532", "ENTRYPOINT [\"/usr/local/bin/lictor\"]"];
        tree.import(engine, &image, &changes).await;
    }
}

/// Whatever of the rest is not on this machine as the real thing.
pub async fn theirs(engine: &Engine) {
    let pinned = engine.compose(&["config", "--images"]).await;
    let pinned = pinned.lines().filter(|image| !image.starts_with(IMAGES));
    for image in pinned {
        if engine.has(image).await {
            continue;
        }
        let name = image.rsplit([':', '/']).nth(1).unwrap();
        match name {
            "consul" => consul(engine, image).await,
            "jaeger" => jaeger(engine, image).await,
            "prometheus" => prometheus(engine, image).await,
            "postgres" => postgres(engine, image).await,
            // Nothing of it can be had from source; where its image is not here, the test goes without it.
            "grafana" => continue,
            other => panic!("compose.yaml pins {image}, and there is no stand-in for {other}"),
        }
        println!("stand-in for {image}");
    }
}

async fn consul(engine: &Engine, image: &str) {
    let tree = Tree::new(engine, "consul");
    tree.program(&get("consul", &engine.place).await, "bin/consul");
    tree.folder("consul/data", 0o1777);
    tree.import(engine, image, &["VOLUME /consul/data"]).await;
}

async fn jaeger(engine: &Engine, image: &str) {
    let tree = Tree::new(engine, "jaeger");
    tree.program(
        &get("jaeger", &engine.place).await,
        "cmd/jaeger/jaeger-linux",
    );
    tree.shell();
    let changes = ["USER 10001", "ENTRYPOINT [\"/cmd/jaeger/jaeger-linux\"]"];
    tree.import(engine, image, &changes).await;
}

async fn prometheus(engine: &Engine, image: &str) {
    let tree = Tree::new(engine, "prometheus");
    for name in ["prometheus", "promtool"] {
        tree.program(&get(name, &engine.place).await, &format!("bin/{name}"));
    }
    tree.folder("prometheus", 0o1777);
    let changes = [
        "USER nobody",
        "WORKDIR /prometheus",
        "ENTRYPOINT [\"/bin/prometheus\"]",
    ];
    tree.import(engine, image, &changes).await;
}

async fn postgres(engine: &Engine, image: &str) {
    let installed = fs::read_dir("/usr/lib/postgresql")
        .ok()
        .and_then(|all| all.flatten().map(|entry| entry.path()).max())
        .expect("no PostgreSQL is here; it comes with: apt-get install postgresql");
    let version = installed
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let tree = Tree::new(engine, "postgres");
    tree.copy(&installed);
    tree.copy(Path::new("/usr/share/postgresql").join(&version).as_path());
    // What sqlx names for each connection, and what it may be a link to.
    tree.copy(Path::new("/usr/share/zoneinfo/UTC"));
    tree.copy(Path::new("/usr/share/zoneinfo/Etc"));
    for folder in ["bin", "lib"] {
        for file in fs::read_dir(installed.join(folder)).unwrap().flatten() {
            tree.libraries(&file.path());
        }
    }
    tree.shell();
    tree.folder("var/lib/postgresql", 0o1777);
    tree.folder("var/run/postgresql", 0o3777);
    tree.file("bin/docker-entrypoint.sh", POSTGRES, 0o755);
    let path = format!("ENV PATH={}/bin:/bin", installed.display());
    let changes = [
        path.as_str(),
        "ENV PGDATA=/var/lib/postgresql/18/docker",
        "VOLUME /var/lib/postgresql",
        "ENTRYPOINT [\"docker-entrypoint.sh\"]",
        "CMD [\"postgres\"]",
    ];
    tree.import(engine, image, &changes).await;
}
