//! What a service revision consists of, and what it was rendered to: from texts and settings to the objects of a
//! service, and from stored objects to those that are applied today.
//!
//! A deployment runs what was rendered when it began. So a rendering is stored as JSON, which another version of this
//! program applies unchanged, except for counts.

mod compression;
mod counts;
mod difference;
mod digests;
mod inputs;
mod kept;
mod older_names;
mod render;
mod split;
mod target_groups;

pub use counts::{
    Hold, Nodes, Numbers, Parts, follows_counts, healthy_after, hold_scale_in, with_at_most,
    with_counts_of, with_numbers, with_tasks,
};
pub use difference::differences;
pub use digests::{ImageDigests, pod_images, tagged_images};
pub use inputs::Inputs;
pub use kept::{Kept, KeptRendering, Placing};
pub use older_names::{have_same_tasks, older_name, rename, take_older_names};
pub use render::{RenderedBy, Rendering, health_check_grace, render};
pub use split::Part;
pub use target_groups::{keep_exclusive, keep_target_groups};
