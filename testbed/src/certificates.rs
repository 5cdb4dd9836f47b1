//! The keys and certificates of a cluster, which are generated for each cluster.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// The identity of the holder of a client certificate.
pub(crate) struct User {
    /// The name of the files.
    pub(crate) file: &'static str,
    /// Common name: the user's name in Kubernetes.
    pub(crate) name: &'static str,
    /// Organization: the user's group.
    pub(crate) group: Option<&'static str>,
}

/// A folder of certificates of one authority, `ca.crt`.
pub(crate) struct Certificates {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    /// Creates the authority.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let key = KeyPair::generate()?;
        let mut params = named("ecs-operator-testbed", None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
        write(&folder.join("ca.crt"), &params.self_signed(&key)?.pem())?;
        write(&folder.join("ca.key"), &key.serialize_pem())?;
        Ok(Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Creates `<file>.crt` and `<file>.key` of a server with the host names or addresses `names`.
    pub(crate) fn server(&self, file: &str, names: &[&str]) -> Result<()> {
        let mut params = named(file, None)?;
        params.subject_alt_names =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?
                .subject_alt_names;
        self.sign(file, params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Creates `<file>.crt` and `<file>.key` of a client.
    pub(crate) fn client(&self, user: &User) -> Result<()> {
        let params = named(user.name, user.group)?;
        self.sign(user.file, params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Creates `<file>.key` and `<file>.pub`, with which service account tokens are signed and verified.
    pub(crate) fn pair(&self, file: &str) -> Result<()> {
        let key = KeyPair::generate()?;
        write(&self.path(&format!("{file}.key")), &key.serialize_pem())?;
        write(&self.path(&format!("{file}.pub")), &key.public_key_pem())
    }

    fn sign(
        &self,
        file: &str,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        write(&self.path(&format!("{file}.crt")), &certificate.pem())?;
        write(&self.path(&format!("{file}.key")), &key.serialize_pem())
    }
}

fn named(name: &str, group: Option<&str>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    Ok(params)
}

/// Writes a file that only its owner can read, since half of them are keys.
fn write(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("write {}", path.display()))
}
