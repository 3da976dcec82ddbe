//! A row of the report: two figures, and whether they meet a target.

use std::fmt;

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Instructions,
    Allocations,
    Bytes,
    PerSecond,
    Count,
}

/// The target of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// Our figure divided by theirs is at most this.
    Ratio(f64),
    /// Our figure is at most this, independently of theirs.
    AtMost(f64),
    /// Our figure exceeds theirs by at most this.
    MoreAtMost(f64),
    /// No target: the row is informative.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    Missed,
    /// The row has no target or no figures.
    Open,
}

/// A row of the report.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: String,
    figures: Figures,
}

#[derive(Clone, Debug)]
enum Figures {
    Pair {
        ours: f64,
        theirs: f64,
        unit: Unit,
        target: Target,
    },
    /// The reason why there is no measurement.
    None(String),
}

impl Row {
    pub(crate) fn new(
        name: impl Into<String>,
        unit: Unit,
        ours: f64,
        theirs: f64,
        target: Target,
    ) -> Self {
        let figures = Figures::Pair {
            ours,
            theirs,
            unit,
            target,
        };
        Self {
            name: name.into(),
            figures,
        }
    }

    pub(crate) fn without(name: impl Into<String>, why: String) -> Self {
        Self {
            name: name.into(),
            figures: Figures::None(why),
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let Figures::Pair {
            ours,
            theirs,
            target,
            ..
        } = &self.figures
        else {
            return Verdict::Open;
        };
        let met = match target {
            Target::Ratio(most) => ours <= &(theirs * most),
            Target::AtMost(most) => ours <= most,
            Target::MoreAtMost(more) => *ours <= theirs + more,
            Target::Nothing => return Verdict::Open,
        };
        if met { Verdict::Ok } else { Verdict::Missed }
    }

    /// Returns the columns: name, ours, theirs, ratio, target, verdict.
    pub(crate) fn columns(&self) -> [String; 6] {
        match &self.figures {
            Figures::None(why) => {
                let none = || "–".to_owned();
                [
                    self.name.clone(),
                    none(),
                    none(),
                    none(),
                    none(),
                    why.clone(),
                ]
            }
            Figures::Pair {
                ours,
                theirs,
                unit,
                target,
            } => [
                self.name.clone(),
                unit.show(*ours),
                unit.show(*theirs),
                match *theirs == 0.0 {
                    true => "–".to_owned(),
                    false => format!("{:.3}", ours / theirs),
                },
                target.show(*unit),
                self.verdict().to_string(),
            ],
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [name, ours, theirs, ratio, target, verdict] = self.columns();
        write!(
            f,
            "{name:<58} {ours:>12} {theirs:>12} {ratio:>8} {target:>12}  {verdict}"
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Missed => "missed",
            Self::Open => "",
        })
    }
}

impl Target {
    fn show(self, unit: Unit) -> String {
        match self {
            Self::Ratio(most) => format!("≤ {most}"),
            Self::AtMost(most) => format!("≤ {}", unit.show(most)),
            Self::MoreAtMost(more) => format!("≤ +{}", unit.show(more)),
            Self::Nothing => String::new(),
        }
    }
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Self::Seconds => match figure {
                s if s >= 1.0 => format!("{s:.1} s"),
                s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
                s if s >= 1e-6 => format!("{:.1} µs", s * 1e6),
                s => format!("{:.1} ns", s * 1e9),
            },
            Self::Bytes => format!("{:.1} KB", figure / 1e3),
            Self::PerSecond => format!("{figure:.0} /s"),
            Self::Instructions | Self::Allocations | Self::Count => match figure {
                n if n >= 1e6 => format!("{:.2} M", n / 1e6),
                n if n >= 1e4 => format!("{:.1} k", n / 1e3),
                n if n.fract().abs() > 0.05 => format!("{n:.1}"),
                n => format!("{n:.0}"),
            },
        }
    }
}
