//! What a stretch of a load is like: its median second.
//!
//! A machine that stands still for a tenth of a second, as a shared one does every few seconds, would else decide alone what 99 of 100 requests met.

use std::ops::Range;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The median, over the whole seconds of `stretch`, of what `of` says of each.
pub fn typical(stretch: Range<Duration>, of: impl Fn(Range<Duration>) -> f64) -> f64 {
    let begins = (0..).map(|nth| stretch.start + SECOND * nth);
    let whole = begins.take_while(|begin| *begin + SECOND <= stretch.end);
    median(whole.map(|begin| of(begin..begin + SECOND)))
}

/// The upper one of the two in the middle; not a number where there is none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_second_is_not_typical_and_a_part_of_a_second_does_not_count() {
        let stretch = Duration::from_millis(1500)..Duration::from_millis(4900);
        let seen = typical(stretch, |second| match second.start.as_millis() {
            1500 => 3.0,
            2500 => 90.0,
            3500 => 4.0,
            other => panic!("{other} ms is not the beginning of a whole second"),
        });
        assert_eq!(seen, 4.0);
    }

    #[test]
    fn nothing_has_no_median() {
        assert!(median(std::iter::empty()).is_nan());
    }
}
