//! A headless Chromium, spoken to in its own protocol over two pipes: no port, nothing on the network.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use stack::parts;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe::{self, Receiver, Sender};
use tokio::process::{Child, Command};

/// The first start on a busy machine makes a profile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where Debian and others have it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Root has no sandbox of Chromium's, and what it loads here is ours.
const FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --no-first-run";

/// One page in a browser of its own.
pub struct Browser {
    child: Child,
    to: Sender,
    from: BufReader<Receiver>,
    session: Option<String>,
    asked: u64,
    /// What the page complained of.
    pub complaints: Vec<String>,
    /// Pipes and profile.
    _folder: TempDir,
}

impl Browser {
    /// Starts one; a machine without it is told how to get it.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        let made = Command::new("mkfifo").args([&to, &from]).status().await;
        assert!(made.is_ok_and(|made| made.success()), "mkfifo");
        // Both ways at once, so that neither side waits for the other to open its end.
        let sender = pipe::OpenOptions::new().read_write(true).open_sender(&to);
        let receiver = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(&from);
        let script = format!("exec \"$0\" {FLAGS} --remote-debugging-pipe \"$@\" 3<to 4>from");
        let child = Command::new("sh")
            .args(["-c", &script])
            .arg(program())
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut browser = Self {
            child,
            to: sender.unwrap(),
            from: BufReader::new(receiver.unwrap()),
            session: None,
            asked: 0,
            complaints: Vec::new(),
            _folder: folder,
        };
        let page = json!({ "url": "about:blank" });
        let target = browser.ask("Target.createTarget", page).await;
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", target).await;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Log.enable", "Runtime.enable"] {
            browser.ask(domain, json!({})).await;
        }
        browser
    }

    /// How large the window is, and whether its owner likes it dark.
    pub async fn window(&mut self, width: u32, height: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", scheme).await;
    }

    pub async fn open(&mut self, url: &str) {
        self.ask("Page.navigate", json!({ "url": url })).await;
    }

    /// What an expression is worth in the page.
    pub async fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let told = self.ask("Runtime.evaluate", asked).await;
        let thrown = &told["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        told["result"]["value"].clone()
    }

    /// The text of the page, as it would be read.
    pub async fn text(&mut self) -> String {
        let text = self.value("document.body?.innerText ?? ''").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses and lets go of a key.
    pub async fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        let down = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
        self.ask("Input.dispatchKeyEvent", down).await;
        let up = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
        self.ask("Input.dispatchKeyEvent", up).await;
    }

    /// Keeps a picture of the window, for people.
    pub async fn picture(&mut self, file: &Path) {
        let shot = self.ask("Page.captureScreenshot", json!({})).await;
        let bytes = BASE64.decode(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    pub async fn close(mut self) {
        self.session = None;
        self.ask("Browser.close", json!({})).await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        assert!(ended.is_ok(), "the browser does not end");
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let answer = tokio::time::timeout(PATIENCE, self.exchange(&bytes)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method}: the browser does not answer"));
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn exchange(&mut self, bytes: &[u8]) -> Value {
        self.to.write_all(bytes).await.unwrap();
        loop {
            let mut read = Vec::new();
            self.from.read_until(0, &mut read).await.unwrap();
            read.pop();
            let told: Value = serde_json::from_slice(&read).unwrap();
            if told["id"] == self.asked {
                return told;
            }
            self.note(&told);
        }
    }

    /// Errors that the page made, and what its policy stopped.
    fn note(&mut self, event: &Value) {
        let entry = &event["params"]["entry"];
        let logged = event["method"] == "Log.entryAdded" && entry["level"] == "error";
        if logged || event["method"] == "Runtime.exceptionThrown" {
            self.complaints.push(event["params"].to_string());
        }
    }
}

fn program() -> PathBuf {
    let named = std::env::var_os("CHROMIUM_BIN").map(PathBuf::from);
    named
        .or_else(|| NAMES.iter().find_map(|name| parts::on_path(name)))
        .expect("chromium is missing; it comes with: apt-get install chromium (or set CHROMIUM_BIN=/path/to/it)")
}
