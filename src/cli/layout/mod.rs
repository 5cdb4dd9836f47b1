//! How the files of objects are laid out in the output folder: one beside the other, for Kustomize, or as a Helm chart.

mod chart;
mod chart_values;
mod kustomization;
mod template;
mod workload;

use std::path::Path;

use clap::ValueEnum;

use self::{chart_values::ChartValues, kustomization::Kustomization};
pub(super) use self::{chart_values::ValueTwice, template::Kept};
use crate::print::{self, Ordered};

/// The beginning of files that each run writes over.
const OURS: &str = "# Written by ecs-operator convert, which writes over it.\n";
/// The beginning of files that are written only if they are missing.
const ONCE: &str = "# Written by ecs-operator convert once: it is yours from now on.\n";

/// What the output folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Layout {
    /// One file for each object
    Plain,
    /// A base and overlays of Kustomize
    Kustomize,
    /// A Helm chart
    Helm,
}

impl Layout {
    /// Returns the folder of the objects in the output folder.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Kustomize => "base",
            Self::Helm => "templates",
        }
    }

    /// Whether a file in the folder of the objects, which is not written now, is one that an earlier run left. People add
    /// templates of their own to a chart.
    pub(super) fn is_left(self, path: &Path) -> bool {
        match self {
            Self::Plain | Self::Kustomize => true,
            Self::Helm => is_ours(&std::fs::read_to_string(path).unwrap_or_default()),
        }
    }
}

/// Whether a file that is no object was written by an earlier run.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(OURS)
}

/// What the files around objects need to know of them.
#[derive(Debug)]
pub(super) enum Around {
    Plain,
    Kustomize(Box<Kustomization>),
    Helm(Box<ChartValues>),
}

impl Around {
    pub(super) fn nothing(layout: Layout) -> Self {
        match layout {
            Layout::Plain => Self::Plain,
            Layout::Kustomize => Self::Kustomize(Box::default()),
            Layout::Helm => Self::Helm(Box::default()),
        }
    }

    /// Prints an object for a layout, and returns what is needed of it. `namespace` is that of the objects if the user chose
    /// none.
    pub(super) fn of(
        layout: Layout,
        file: &str,
        object: &Ordered,
        kept: &Kept,
        namespace: Option<&str>,
    ) -> Result<(String, Self), print::Error> {
        Ok(match layout {
            Layout::Plain => (print::yaml(object)?, Self::Plain),
            Layout::Kustomize => {
                let found = Kustomization::of(file, object);
                (print::yaml(object)?, Self::Kustomize(Box::new(found)))
            }
            Layout::Helm => {
                let (text, values) = template::template(object, kept, namespace)?;
                (format!("{OURS}{text}"), Self::Helm(Box::new(values)))
            }
        })
    }

    /// Adds what is needed of another object.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), ValueTwice> {
        match (self, other) {
            (Self::Kustomize(all), Self::Kustomize(other)) => all.merge(other),
            (Self::Helm(all), Self::Helm(other)) => all.merge(other)?,
            _ => {}
        }
        Ok(())
    }

    /// Returns the files around the objects with their paths in the folder.
    pub(super) fn files(
        &self,
        folder: &Path,
        overlays: &[String],
    ) -> Result<Vec<AroundFile>, print::Error> {
        let ours = |path: &str, text| AroundFile {
            path: path.to_owned(),
            text,
            is_of_user: false,
        };
        let of_user = |path: String, text| AroundFile {
            path,
            text,
            is_of_user: true,
        };
        Ok(match self {
            Self::Plain => Vec::new(),
            Self::Kustomize(all) => {
                let mut files = vec![ours("base/kustomization.yaml", all.base()?)];
                let overlay = all.overlay()?;
                files.extend(overlays.iter().map(|name| {
                    let path = format!("overlays/{name}/kustomization.yaml");
                    of_user(path, overlay.clone())
                }));
                files
            }
            Self::Helm(values) => vec![
                of_user("Chart.yaml".to_owned(), chart::chart(folder)),
                ours("templates/_values.tpl", chart::definitions()),
                ours("values.yaml", chart::values(values)?),
            ],
        })
    }
}

/// A file around the objects.
#[derive(Debug)]
pub(super) struct AroundFile {
    /// Its path in the folder.
    pub(super) path: String,
    pub(super) text: String,
    /// Whether one that exists is the user's.
    pub(super) is_of_user: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::WRITTEN;

    #[test]
    fn files_around_objects_are_recognized() {
        for beginning in [OURS, ONCE] {
            assert!(beginning.starts_with(WRITTEN), "{beginning}");
        }
        assert!(is_ours(OURS) && !is_ours(ONCE) && !is_ours(""));
    }
}
