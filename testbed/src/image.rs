//! Container images that are assembled from files, without a builder.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A container image: one layer with some files.
///
/// The same content always results in the same digest.
#[derive(Clone, Debug)]
pub struct Image {
    files: Vec<(String, u32, Vec<u8>)>,
    entrypoint: Vec<String>,
    env: Vec<String>,
    user: String,
}

impl Image {
    /// Creates an image that runs one statically linked program, as `/app`, for user 65532, who is not root.
    ///
    /// A program that needs a dynamic loader is an error: the image does not contain one.
    pub fn of_program(program: impl AsRef<Path>) -> Result<Self> {
        let program = program.as_ref();
        let content = fs::read(program).with_context(|| format!("read {}", program.display()))?;
        ensure!(
            !is_dynamic(&content),
            "{} is linked dynamically, and an image has no libraries: build it for a musl target, with \
             -C target-feature=+crt-static, or with CGO_ENABLED=0",
            program.display()
        );
        let passwd = "root:x:0:0:root:/:/app\nnonroot:x:65532:65532:nonroot:/:/app\n";
        Ok(Self {
            files: vec![
                ("app".to_owned(), 0o755, content),
                ("etc/passwd".to_owned(), 0o644, passwd.into()),
            ],
            entrypoint: vec!["/app".to_owned()],
            env: vec!["PATH=/".to_owned()],
            user: "65532:65532".to_owned(),
        })
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    /// Sets the user, such as `0`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Adds a file; `path` is that in the container.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((
            path.trim_start_matches('/').to_owned(),
            mode,
            content.into(),
        ));
        self
    }

    /// Returns the parts of the image in the format of a registry.
    pub(crate) fn pack(&self) -> Result<Packed> {
        let layer = Blob::new(LAYER, self.layer()?);
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": self.entrypoint,
                "Env": self.env,
                "User": self.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        });
        let config = Blob::new(CONFIG, config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        Ok(Packed {
            manifest: Blob::new(MANIFEST, manifest.to_string().into_bytes()),
            blobs: vec![config, layer],
        })
    }

    fn layer(&self) -> Result<Vec<u8>> {
        let mut tar = Vec::new();
        for folder in ["tmp/", "etc/", "data/"] {
            entry(&mut tar, folder, 0o1777, &[])?;
        }
        for (path, mode, content) in &self.files {
            entry(&mut tar, path, *mode, content)?;
        }
        tar.resize(tar.len() + 2 * BLOCK, 0);
        Ok(tar)
    }
}

/// An image in the format of a registry.
pub(crate) struct Packed {
    pub(crate) manifest: Blob,
    pub(crate) blobs: Vec<Blob>,
}

/// Content that is identified by its digest.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) media_type: &'static str,
    /// `sha256:...`
    pub(crate) digest: String,
    pub(crate) content: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, content: Vec<u8>) -> Self {
        let hash: [u8; 32] = Sha256::digest(&content).into();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            media_type,
            digest: format!("sha256:{hex}"),
            content,
        }
    }

    fn descriptor(&self) -> serde_json::Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.content.len()})
    }
}

const BLOCK: usize = 512;

/// Appends a file, or a folder if the path ends in `/`, in the format of POSIX.1-1988 tar ("ustar").
fn entry(tar: &mut Vec<u8>, path: &str, mode: u32, content: &[u8]) -> Result<()> {
    if path.len() > 100 {
        bail!("{path} is longer than the 100 bytes that a tar header has for it");
    }
    let kind = if path.ends_with('/') { b"5" } else { b"0" };
    let mut header = Vec::with_capacity(BLOCK);
    let field = |header: &mut Vec<u8>, text: &[u8], width: usize| {
        header.extend_from_slice(text);
        header.resize(header.len() + width - text.len(), 0);
    };
    field(&mut header, path.as_bytes(), 100);
    field(&mut header, format!("{mode:07o}").as_bytes(), 8);
    field(&mut header, b"0000000", 8);
    field(&mut header, b"0000000", 8);
    field(
        &mut header,
        format!("{:011o}", content.len()).as_bytes(),
        12,
    );
    field(&mut header, b"00000000000", 12);
    let checksum = header.len();
    // The checksum is calculated with spaces in its own field.
    header.extend_from_slice(b"        ");
    header.extend_from_slice(kind);
    field(&mut header, b"", 100);
    header.extend_from_slice(b"ustar\x0000");
    header.resize(BLOCK, 0);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header.splice(checksum..checksum + 8, format!("{sum:06o}\0 ").into_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

/// Whether a 64-bit little-endian ELF file requires a dynamic loader (a `PT_INTERP` header).
fn is_dynamic(file: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let number = |at: usize, width: usize| -> Option<u64> {
        let bytes = file.get(at..at.checked_add(width)?)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let headers = || -> Option<(usize, usize, usize)> {
        let start = usize::try_from(number(32, 8)?).ok()?;
        let size = usize::try_from(number(54, 2)?).ok()?;
        let count = usize::try_from(number(56, 2)?).ok()?;
        Some((start, size, count))
    };
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return false;
    }
    let Some((start, size, count)) = headers() else {
        return false;
    };
    (0..count).any(|index| {
        let at = size
            .checked_mul(index)
            .and_then(|offset| offset.checked_add(start));
        at.and_then(|at| number(at, 4)) == Some(u64::from(INTERPRETER))
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn image() -> Image {
        Image {
            files: Vec::new(),
            entrypoint: vec!["/app".to_owned()],
            env: Vec::new(),
            user: String::new(),
        }
    }

    #[test]
    fn tar_reads_the_layer() {
        let folder = tempfile::tempdir().unwrap();
        let layer = image()
            .file("/etc/motd", 0o644, "hello")
            .file("app", 0o755, vec![7; 1000])
            .layer()
            .unwrap();
        fs::write(folder.path().join("layer.tar"), layer).unwrap();
        let tar = |args: &[&str]| {
            let output = Command::new("tar")
                .args(args)
                .current_dir(&folder)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(
            tar(&["-tf", "layer.tar"]),
            "tmp/\netc/\ndata/\netc/motd\napp\n"
        );
        assert_eq!(tar(&["-xOf", "layer.tar", "etc/motd"]), "hello");
        assert!(
            tar(&["-tvf", "layer.tar", "app"])
                .starts_with("-rwxr-xr-x 0/0            1000 1970-01-01")
        );
    }

    #[test]
    fn the_digest_follows_the_content_alone() {
        let digest = |image: &Image| image.pack().unwrap().manifest.digest;
        assert_eq!(digest(&image()), digest(&image()));
        assert_ne!(digest(&image()), digest(&image().env("A", "b")));
    }

    #[test]
    fn a_program_with_a_loader_is_refused() {
        let error = Image::of_program(std::env::current_exe().unwrap()).unwrap_err();
        assert!(error.to_string().contains("linked dynamically"), "{error}");
    }
}
