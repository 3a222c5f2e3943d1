//! The live page: one document, one style sheet, one script, embedded as they stand.
//!
//! The page asks what anybody may ask of this listener, once a second, and changes nothing.
//! It may load nothing from anywhere else and run nothing that is written into it: the policy below says so, and the script writes text only.

use actix_web::{
    HttpResponse,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Our own style, our own script, our own answers; no frame around it, no form, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`.
pub async fn page() -> HttpResponse {
    asset("text/html; charset=utf-8", PAGE)
}

/// `GET /page.css`.
pub async fn style() -> HttpResponse {
    asset("text/css; charset=utf-8", STYLE)
}

/// `GET /page.js`.
pub async fn script() -> HttpResponse {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

fn asset(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        // The next build may bring another page, and its parts belong together.
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ways in which a page loads or runs what is not its own, or takes text for markup.
    const FOREIGN: [&str; 16] = [
        "//",
        "http:",
        "https:",
        "data:",
        "javascript:",
        "@import",
        "url(",
        "<style",
        " style=",
        " onclick",
        " onload",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ];

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_no_text_becomes_markup() {
        for (name, text) in [("html", PAGE), ("css", STYLE), ("js", SCRIPT)] {
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("// "));
            for line in code {
                let found = FOREIGN.iter().find(|foreign| line.contains(**foreign));
                assert!(found.is_none(), "page.{name}: {found:?} in {line}");
            }
        }
    }

    #[test]
    fn the_document_names_its_two_parts_and_nothing_inline() {
        let attributes = |name: &str| -> Vec<&str> {
            PAGE.split(name)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect()
        };
        assert_eq!(attributes("src=\""), ["page.js"]);
        // The others lead to what this listener answers itself.
        let mut links = attributes("href=\"");
        links.retain(|link| !link.starts_with(['#', '/']));
        assert_eq!(links, ["page.css"]);
        assert_eq!(PAGE.matches("<script").count(), 1);
        assert!(PAGE.contains("></script>"), "the script has no text");
    }
}
