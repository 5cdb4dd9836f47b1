//! Amazon EBS volumes that a service or task configures at launch.

/// One entry of `volumeConfigurations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EbsVolume {
    /// The ECS name of the volume that is configured at launch.
    pub name: String,
}
