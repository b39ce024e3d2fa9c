//! `kubewright image ls`.

use jiff::Timestamp;

use super::super::{Exit, Failure};
use super::megabytes;
use crate::image::{self, Access, Stored};
use crate::report::{self, Format};

/// List the images in the store of this machine
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How to show them
    #[arg(short, long, value_enum, default_value_t, env = "KUBEWRIGHT_OUTPUT")]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let images = image::stored(&Access::default())?;
        match self.output {
            Format::Human => report::print(&as_table(&images, Timestamp::now())),
            Format::Json => {
                report::print(&serde_json::to_string_pretty(&images.iter().map(as_json).collect::<Vec<_>>())?);
            }
        }
        Ok(Exit::Done)
    }
}

fn architectures(image: &Stored) -> Vec<&'static str> {
    image.architectures.iter().map(|architecture| architecture.as_str()).collect()
}

fn as_table(images: &[Stored], now: Timestamp) -> String {
    let row = |image: &Stored| {
        let digest = image.digest.get(..19).unwrap_or(&image.digest);
        let kubernetes = image.kubernetes.as_deref().unwrap_or("unreadable");
        let texts = [&image.reference, digest, kubernetes, &architectures(image).join(", ")];
        let mut row = texts.map(str::to_owned).to_vec();
        row.extend([megabytes(image.size), age(now.as_second() - image.stored.as_second())]);
        row
    };
    report::table(
        &["IMAGE", "DIGEST", "KUBERNETES", "ARCH", "SIZE", "AGE"],
        &images.iter().map(row).collect::<Vec<_>>(),
    )
}

fn as_json(image: &Stored) -> serde_json::Value {
    serde_json::json!({
        "reference": image.reference,
        "digest": image.digest,
        "kubernetes": image.kubernetes,
        "architectures": architectures(image),
        "size": image.size,
        "stored": format!("{:.0}", image.stored),
    })
}

/// Seconds in the largest unit that fits, as kubectl has it.
fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Architecture;

    #[test]
    fn ages_and_rows_are_for_people() {
        assert_eq!([-5, 119, 120, 7199, 7200, 172_800].map(age), ["0s", "119s", "2m", "119m", "2h", "2d"]);
        let image = Stored {
            reference: "r.example/k:v1".into(),
            digest: format!("sha256:{}", "ab".repeat(32)),
            kubernetes: Some("v1.20.2".into()),
            architectures: vec![Architecture::Amd64, Architecture::Arm64],
            size: 5_000_000,
            stored: Timestamp::UNIX_EPOCH,
        };
        let table = as_table(std::slice::from_ref(&image), Timestamp::from_second(7200).unwrap());
        let row: Vec<_> =
            table.lines().nth(1).unwrap().split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
        assert_eq!(row, ["r.example/k:v1", "sha256:abababababab", "v1.20.2", "amd64, arm64", "5.0 MB", "2h"]);
        assert_eq!(as_json(&image)["stored"], "1970-01-01T00:00:00Z");
    }
}
