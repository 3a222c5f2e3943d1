//! How large files may be. Readability is the product: a file that grows wants to be two.

use super::sources::{self, Source};

/// A file above this is two files.
const LARGEST: usize = 400;
const MEDIAN: usize = 120;
const NINETIETH: usize = 300;

/// Programs begin with a table of contents.
const MAIN_OF_A_SERVICE: usize = 25;
const MAIN_OF_THE_GATEWAY: usize = 40;

fn production() -> Vec<Source> {
    let mut sources: Vec<Source> = sources::all()
        .into_iter()
        .filter(Source::is_production)
        .collect();
    sources.sort_by_key(Source::lines);
    sources
}

/// The size of the file below which this part of all files is.
fn quantile(sources: &[Source], part: f64) -> usize {
    let rank = (part * sources.len() as f64).ceil() as usize;
    sources[rank.saturating_sub(1)].lines()
}

#[test]
fn no_file_is_larger_than_400_lines() {
    let large: Vec<String> = sources::all()
        .iter()
        .filter(|source| source.lines() > LARGEST)
        .map(|source| format!("{} has {} lines", source.path.display(), source.lines()))
        .collect();
    assert!(large.is_empty(), "{}", large.join("\n"));
}

#[test]
fn the_median_and_the_ninetieth_percentile_are_small() {
    let sources = production();
    let (median, ninetieth) = (quantile(&sources, 0.5), quantile(&sources, 0.9));
    assert!(
        median <= MEDIAN,
        "the median file has {median} lines; at most {MEDIAN}"
    );
    assert!(
        ninetieth <= NINETIETH,
        "one file in ten has more than {ninetieth} lines; at most {NINETIETH}"
    );
}

#[test]
fn programs_begin_with_a_table_of_contents() {
    let mut wrong = Vec::new();
    for source in production() {
        let path = source.path.display().to_string();
        let limit = match path.strip_suffix("/src/main.rs") {
            Some("gateway") => MAIN_OF_THE_GATEWAY,
            Some(package) if package.starts_with("services/") => MAIN_OF_A_SERVICE,
            _ => continue,
        };
        if source.lines() > limit {
            wrong.push(format!(
                "{path} has {} lines; at most {limit}",
                source.lines()
            ));
        }
        for branch in ["if ", "match ", "while ", "for "] {
            if source
                .text
                .lines()
                .any(|line| line.trim_start().starts_with(branch))
            {
                wrong.push(format!(
                    "{path} branches ({}); decisions belong in the library",
                    branch.trim()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sizes_are_printed() {
    let sources = production();
    let largest = sources.last().expect("there are sources");
    println!(
        "sizes  {} production files, {} lines; median {}, 90th percentile {}, largest {} ({})",
        sources.len(),
        sources.iter().map(Source::lines).sum::<usize>(),
        quantile(&sources, 0.5),
        quantile(&sources, 0.9),
        largest.lines(),
        largest.path.display(),
    );
    for folder in ["gateway", "services", "shared", "tests"] {
        let part: Vec<Source> = production()
            .into_iter()
            .filter(|source| source.path.starts_with(folder))
            .collect();
        println!(
            "sizes  {folder:<9} {:>4} files, median {:>4}, 90th percentile {:>4}",
            part.len(),
            quantile(&part, 0.5),
            quantile(&part, 0.9)
        );
    }
}
