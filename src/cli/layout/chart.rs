//! The files of a Helm chart beside its templates (<https://helm.sh/docs/topics/charts/>).

use std::{fs, path::Path};

use super::{
    ONCE, OURS,
    chart_values::ChartValues,
    template::{IMAGE, PLACEHOLDER},
};
use crate::print;

/// Returns `Chart.yaml`. The chart is named after its folder.
pub(super) fn chart(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{ONCE}apiVersion: v2\nname: {}\ndescription: Services and tasks of Amazon ECS on Kubernetes\n\
         type: application\nversion: 0.1.0\n",
        name_of(&name)
    )
}

/// Returns a name that a chart may have: lowercase letters, digits and dashes.
fn name_of(folder: &str) -> String {
    let name: String = folder
        .chars()
        .map(|character| match character.to_ascii_lowercase() {
            character if character.is_ascii_alphanumeric() => character,
            _ => '-',
        })
        .collect();
    let name = name.trim_matches('-');
    match name.chars().next() {
        Some(first) if first.is_ascii_alphabetic() => name.to_owned(),
        _ => format!("chart-{name}").trim_end_matches('-').to_owned(),
    }
}

/// Returns `values.yaml`.
pub(super) fn values(values: &ChartValues) -> Result<String, print::Error> {
    Ok(format!(
        "{OURS}# Put other values into a file of your own, such as values-prod.yaml.\n{}",
        values.print()?
    ))
}

/// Returns `templates/_values.tpl`, which defines how values are written into objects.
pub(super) fn definitions() -> String {
    format!(
        r#"{OURS}{{{{/* An image. Helm reads a tag such as 1.10 without quotes as the number 1.1. */}}}}
{{{{- define "{IMAGE}" -}}}}
{{{{- $repository := .repository -}}}}
{{{{- $repository -}}}}
{{{{- with .tag -}}}}
{{{{- if kindIs "float64" . }}}}{{{{ fail (printf "write the tag of the image %s in quotes" $repository) }}}}{{{{ end -}}}}
:{{{{ . }}}}
{{{{- end -}}}}
{{{{- with .digest }}}}@{{{{ . }}}}{{{{ end -}}}}
{{{{- end }}}}
{{{{/* What stands for a placeholder inside double quotes: its value, or the placeholder itself. */}}}}
{{{{- define "{PLACEHOLDER}" -}}}}
{{{{- $value := index (index . 0).Values.placeholders (index . 1) -}}}}
{{{{- if kindIs "float64" $value }}}}{{{{ fail (printf "write the value of the placeholder %s in quotes" (index . 1)) }}}}{{{{ end -}}}}
{{{{- $text := ternary "" (toString $value) (kindIs "invalid" $value) -}}}}
{{{{- default (index . 2) $text | toJson | trimPrefix "\"" | trimSuffix "\"" -}}}}
{{{{- end }}}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_named_after_folders() {
        for (folder, expected) in [
            ("k8s", "k8s"),
            ("Shop_Prod", "shop-prod"),
            ("2026", "chart-2026"),
            ("..", "chart"),
            ("ü", "chart"),
        ] {
            assert_eq!(name_of(folder), expected, "{folder}");
        }
    }
}
