//! The files of an image that is being made: some written, some taken from where they lie on this machine.
//!
//! Each image carries the label `lictor.standin`: `docker image prune -a --filter label=lictor.standin` takes them away again.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use stack::parts;

use super::engine::Engine;

pub const LABEL: &str = "lictor.standin";

const PASSWD: &str = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n\
    nonroot:x:65532:65532::/:/bin/sh\nconsul:x:100:1000::/:/bin/sh\n\
    postgres:x:999:999::/var/lib/postgresql:/bin/sh\n";
const GROUP: &str =
    "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\nconsul:x:1000:\npostgres:x:999:\n";

/// What the images' shells and health checks call.
const APPLETS: [&str; 4] = ["sh", "cat", "mkdir", "wget"];

pub struct Tree {
    /// What is written.
    root: PathBuf,
    /// What is taken where it lies and as it is, folders without what is in them; never through a link, so that links can be taken too.
    taken: Vec<PathBuf>,
}

impl Tree {
    pub fn new(engine: &Engine, name: &str) -> Self {
        let root = engine.place.target().join("stack-test/images").join(name);
        let _ = fs::remove_dir_all(&root);
        let tree = Self {
            root,
            taken: Vec::new(),
        };
        for (folder, mode) in [("etc", 0o755), ("tmp", 0o1777)] {
            tree.folder(folder, mode);
        }
        tree.file("etc/passwd", PASSWD, 0o644);
        tree.file("etc/group", GROUP, 0o644);
        tree
    }

    pub fn folder(&self, path: &str, mode: u32) {
        let folder = self.root.join(path);
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn file(&self, path: &str, text: &str, mode: u32) {
        let file = self.root.join(path);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A program under another name, and its libraries.
    pub fn program(&self, from: &Path, to: &str) {
        let to = self.root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap_or_else(|why| panic!("{}: {why}", from.display()));
        self.libraries(from);
    }

    /// The libraries that the loader would take, where it would take them from. A static program asks for none.
    pub fn libraries(&self, program: &Path) {
        let said = Command::new("ldd").arg(program).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        for library in said.split_whitespace().filter(|word| word.starts_with('/')) {
            let library = Path::new(library.trim_end_matches(':'));
            let to = self.root.join(library.strip_prefix("/").unwrap());
            if library.is_file() && !to.exists() {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(library, &to).unwrap();
            }
        }
    }

    /// A file or folder where it is, as it is.
    pub fn copy(&self, path: &Path) {
        let to = self.root.join(path.strip_prefix("/").unwrap());
        let folder = to.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(path).arg(folder);
        assert!(copy.status().unwrap().success(), "{}", path.display());
    }

    pub fn shell(&self) {
        let busybox = parts::on_path("busybox")
            .expect("no busybox is here; it comes with: apt-get install busybox-static");
        self.program(&busybox, "bin/busybox");
        for applet in APPLETS {
            symlink("busybox", self.root.join("bin").join(applet)).unwrap();
        }
    }

    pub fn link(&self, path: &str, to: &str) {
        let link = self.root.join(path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(to, link).unwrap();
    }

    /// Files and folders of this machine, by absolute paths; what is not there is left out.
    pub fn take(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let (Some(folder), Some(name)) = (folder, path.file_name()) else {
                continue;
            };
            let path = folder.join(name);
            if path.is_symlink() || path.exists() {
                self.taken.push(path);
            }
        }
    }

    /// The archive goes through a file, because a pipe would hide which side failed.
    pub async fn import(mut self, engine: &Engine, image: &str, changes: &[&str]) {
        let archive = self.root.with_extension("tar");
        let list = self.root.with_extension("list");
        self.taken.sort();
        self.taken.dedup();
        // The engine refuses an archive with two of a name.
        let lines: String = self
            .taken
            .iter()
            .map(|path| format!(".{}", path.display()))
            .filter(|path| !self.root.join(path).exists())
            .map(|path| path + "\n")
            .collect();
        fs::write(&list, lines).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "-cf"]).arg(&archive);
        tar.arg("-C").arg(&self.root).arg(".");
        tar.args(["-C", "/", "--no-recursion", "-T"]).arg(&list);
        assert!(tar.status().unwrap().success(), "{image}");
        let path = archive.to_string_lossy().into_owned();
        let label = format!("LABEL {LABEL}=1");
        let mut args = vec!["import"];
        for change in [label.as_str(), "ENV PATH=/usr/local/bin:/usr/bin:/bin"]
            .iter()
            .chain(changes)
        {
            args.extend(["-c", *change]);
        }
        args.extend([path.as_str(), image]);
        engine.docker(&args).await;
        fs::remove_file(archive).unwrap();
        fs::remove_file(list).unwrap();
        fs::remove_dir_all(&self.root).unwrap();
    }
}
