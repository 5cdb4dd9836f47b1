//! The values of a Helm chart with their defaults, collected from one template after another.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::workload::Image;
use crate::print::{self, Ordered};

/// The values that templates use. Only these are kept of all objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct ChartValues {
    /// By workload and container.
    images: BTreeMap<(String, String), Image>,
    /// By workload.
    replicas: BTreeMap<String, Ordered>,
    /// By autoscaler and limit.
    autoscaling: BTreeMap<(String, &'static str), Ordered>,
    /// The texts of the placeholders by their names. The same name may be written in several styles.
    placeholders: BTreeMap<String, BTreeSet<String>>,
}

/// A value that two templates need with different defaults.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct ValueTwice(pub(in crate::cli) String);

const IMAGES: &str = "# The images of containers, by workload and container. Write a tag in quotes. A digest counts more than a tag.\n";
const REPLICAS: &str = "# How many pods workloads without an autoscaler have.\n";
const AUTOSCALING: &str = "# The limits of autoscalers.\n";
const PLACEHOLDERS: &str = "\
# What was open in the input. A value that is still the placeholder leaves it in the objects.
# Write numbers in quotes.
";

impl ChartValues {
    pub(super) fn add_image(&mut self, workload: &str, container: &str, image: Image) {
        let key = (workload.to_owned(), container.to_owned());
        self.images.insert(key, image);
    }

    pub(super) fn add_replicas(&mut self, workload: &str, count: Ordered) {
        self.replicas.insert(workload.to_owned(), count);
    }

    pub(super) fn add_limit(&mut self, autoscaler: &str, name: &'static str, limit: Ordered) {
        let key = (autoscaler.to_owned(), name);
        self.autoscaling.insert(key, limit);
    }

    pub(super) fn add_placeholder(&mut self, name: &str, text: &str) {
        let texts = self.placeholders.entry(name.to_owned()).or_default();
        texts.insert(text.to_owned());
    }

    /// Adds the values of another template.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), ValueTwice> {
        merge(&mut self.images, &other.images, |(workload, container)| {
            format!("images.{workload}.{container}")
        })?;
        merge(&mut self.replicas, &other.replicas, |workload| {
            format!("replicas.{workload}")
        })?;
        merge(
            &mut self.autoscaling,
            &other.autoscaling,
            |(name, limit)| format!("autoscaling.{name}.{limit}"),
        )?;
        for (name, texts) in &other.placeholders {
            let known = self.placeholders.entry(name.clone()).or_default();
            known.extend(texts.iter().cloned());
        }
        Ok(())
    }

    /// Prints the sections of `values.yaml`, without those that are empty.
    pub(super) fn print(&self) -> Result<String, print::Error> {
        let mut text = String::new();
        let images = self.images.iter().map(|((workload, container), image)| {
            let part = |part: &Option<String>| string(part.as_deref().unwrap_or_default());
            let members = vec![
                ("repository".into(), string(&image.repository)),
                ("tag".into(), part(&image.tag)),
                ("digest".into(), part(&image.digest)),
            ];
            (workload, (container.clone(), Ordered::Map(members)))
        });
        section(&mut text, IMAGES, "images", nested(images))?;
        let replicas = self.replicas.iter();
        let replicas = replicas.map(|(name, count)| (name.clone().into(), count.clone()));
        section(&mut text, REPLICAS, "replicas", replicas.collect())?;
        let limits = self.autoscaling.iter().map(|((name, limit), number)| {
            let member = ((*limit).to_owned(), number.clone());
            (name, member)
        });
        section(&mut text, AUTOSCALING, "autoscaling", nested(limits))?;
        let placeholders = self.placeholders.iter().map(|(name, texts)| {
            // If there are several texts, each stays what it is only without a value.
            let mut texts = texts.iter();
            let default = match (texts.next(), texts.next()) {
                (Some(text), None) => text.as_str(),
                _ => "",
            };
            (name.clone().into(), string(default))
        });
        section(
            &mut text,
            PLACEHOLDERS,
            "placeholders",
            placeholders.collect(),
        )?;
        Ok(text)
    }
}

type Members = Vec<(std::borrow::Cow<'static, str>, Ordered)>;

fn string(text: &str) -> Ordered {
    Ordered::String(text.to_owned())
}

/// Groups sorted members by their first name.
fn nested<'n>(members: impl Iterator<Item = (&'n String, (String, Ordered))>) -> Members {
    let mut groups = Members::new();
    for (group, (name, value)) in members {
        let member = (name.into(), value);
        match groups.last_mut() {
            Some((last, Ordered::Map(members))) if last == group => members.push(member),
            _ => groups.push((group.clone().into(), Ordered::Map(vec![member]))),
        }
    }
    groups
}

fn section(
    text: &mut String,
    comment: &str,
    name: &'static str,
    members: Members,
) -> Result<(), print::Error> {
    if !members.is_empty() {
        let section = Ordered::Map(vec![(name.into(), Ordered::Map(members))]);
        text.push('\n');
        text.push_str(comment);
        text.push_str(&print::yaml(&section)?);
    }
    Ok(())
}

fn merge<K: Clone + Ord, V: Clone + PartialEq>(
    into: &mut BTreeMap<K, V>,
    from: &BTreeMap<K, V>,
    name: impl Fn(&K) -> String,
) -> Result<(), ValueTwice> {
    for (key, value) in from {
        match into.entry(key.clone()) {
            Entry::Occupied(known) if known.get() != value => return Err(ValueTwice(name(key))),
            Entry::Occupied(_) => {}
            Entry::Vacant(vacant) => {
                vacant.insert(value.clone());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u32) -> Ordered {
        Ordered::Number(value.into())
    }

    #[test]
    fn sections_are_sorted_and_empty_ones_left_out() {
        let mut values = ChartValues::default();
        assert_eq!(values.print().unwrap(), "");
        values.add_image("web", "proxy", Image::of("r:1/envoy:1.30"));
        values.add_image("web", "app", Image::of("app@sha256:00"));
        values.add_image("cronjob/a", "app", Image::of("app"));
        values.add_limit("web", "minReplicas", number(2));
        values.add_limit("web", "maxReplicas", number(9));
        values.add_placeholder("TAG", "${TAG}");
        values.add_placeholder("ROLE", "<ROLE>");
        values.add_placeholder("ROLE", "${ROLE}");
        let expected = "
# The images of containers, by workload and container. Write a tag in quotes. A digest counts more than a tag.
images:
  cronjob/a:
    app:
      repository: app
      tag: \"\"
      digest: \"\"
  web:
    app:
      repository: app
      tag: \"\"
      digest: sha256:00
    proxy:
      repository: r:1/envoy
      tag: \"1.30\"
      digest: \"\"

# The limits of autoscalers.
autoscaling:
  web:
    maxReplicas: 9
    minReplicas: 2

# What was open in the input. A value that is still the placeholder leaves it in the objects.
# Write numbers in quotes.
placeholders:
  ROLE: \"\"
  TAG: ${TAG}
";
        assert_eq!(values.print().unwrap(), expected);
    }

    #[test]
    fn a_value_has_one_default() {
        let of = |count| {
            let mut values = ChartValues::default();
            values.add_replicas("web", number(count));
            values
        };
        let mut all = of(2);
        assert_eq!(all.merge(&of(2)), Ok(()));
        let twice = ValueTwice("replicas.web".to_owned());
        assert_eq!(all.merge(&of(3)), Err(twice));
    }
}
