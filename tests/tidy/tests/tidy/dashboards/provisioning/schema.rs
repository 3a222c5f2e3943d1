//! Grafana's provisioning files, as far as ours use them: a key that is not here is misspelt, or says what nobody has looked up yet.
//!
//! Grafana itself says nothing to a key that it does not know.
//! Its documentation: "Provisioning" in its administration guide, and the pages of the data sources `prometheus` and `jaeger`.

use serde::Deserialize;

use crate::yaml;

/// `provisioning/datasources/*.yaml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Datasources {
    pub api_version: u8,
    /// Whether what left the file is deleted.
    pub prune: bool,
    pub datasources: Vec<Datasource>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Datasource {
    Prometheus(Source<Prometheus>),
    Jaeger(Source<Jaeger>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source<Settings> {
    pub name: String,
    pub uid: String,
    pub access: Access,
    /// That it is a container of compose is seen where addresses are (`compose/addresses.rs`).
    #[serde(rename = "url")]
    pub _url: String,
    #[serde(default)]
    pub is_default: bool,
    pub editable: bool,
    #[serde(rename = "jsonData")]
    pub settings: Settings,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Grafana's server asks.
    Proxy,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prometheus {
    pub http_method: HttpMethod,
    pub prometheus_type: Flavour,
    /// The shortest step, which `$__rate_interval` is four times of.
    pub time_interval: String,
    pub exemplar_trace_id_destinations: Vec<ExemplarDestination>,
}

#[derive(Debug, Deserialize, PartialEq)]
pub enum HttpMethod {
    #[serde(rename = "POST")]
    Post,
}

#[derive(Debug, Deserialize, PartialEq)]
pub enum Flavour {
    Prometheus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExemplarDestination {
    /// The exemplar's label.
    pub name: String,
    pub datasource_uid: String,
    pub url_display_label: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Jaeger {
    pub node_graph: NodeGraph,
    pub traces_to_metrics: TracesToMetrics,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGraph {
    pub enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TracesToMetrics {
    pub datasource_uid: String,
    pub span_start_time_shift: String,
    pub span_end_time_shift: String,
    pub tags: Vec<Tag>,
    pub queries: Vec<Question>,
}

/// What a span's attribute is called as a label.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    pub name: String,
    pub query: String,
}

/// `provisioning/dashboards/*.yaml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dashboards {
    pub api_version: u8,
    pub providers: Vec<Provider>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provider {
    pub name: String,
    pub org_id: u8,
    /// Empty: at the top.
    pub folder: String,
    pub r#type: ProviderType,
    pub disable_deletion: bool,
    pub allow_ui_updates: bool,
    pub update_interval_seconds: u32,
    pub options: ProviderOptions,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum ProviderType {
    File,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderOptions {
    pub path: String,
    pub folders_from_files_structure: bool,
}

pub fn datasources() -> Datasources {
    yaml::read("observability/grafana/provisioning/datasources/datasources.yaml")
}

pub fn dashboards() -> Dashboards {
    yaml::read("observability/grafana/provisioning/dashboards/dashboards.yaml")
}

impl Datasources {
    pub fn prometheus(&self) -> &Source<Prometheus> {
        let found = self.datasources.iter().find_map(|one| match one {
            Datasource::Prometheus(source) => Some(source),
            Datasource::Jaeger(_) => None,
        });
        found.expect("Prometheus is provisioned")
    }

    pub fn jaeger(&self) -> &Source<Jaeger> {
        let found = self.datasources.iter().find_map(|one| match one {
            Datasource::Jaeger(source) => Some(source),
            Datasource::Prometheus(_) => None,
        });
        found.expect("Jaeger is provisioned")
    }
}
