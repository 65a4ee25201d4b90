//! The Odoo module, written out for each series: what Odoo would stumble over before it installs anything.

use std::path::Path;
use std::process::Command;

use orest::odoo_module::Series;

/// Looks at the folder that is its first argument, as Odoo of the series that is the second would. Prints what is wrong.
const CHECK: &str = r#"
import ast, csv, pathlib, sys
import xml.etree.ElementTree as ET

module, series = pathlib.Path(sys.argv[1]), sys.argv[2]
manifest = ast.literal_eval((module / "__manifest__.py").read_text(encoding="utf-8"))
assert manifest["version"].startswith(series + "."), manifest["version"]
assert manifest["license"] == "LGPL-3" and manifest.get("installable", True)

named = list(manifest.get("data", [])) + list(manifest.get("demo", [])) + list(manifest.get("qweb", []))
for name in named:
    if not (module / name).is_file():
        print(f"{name}: the manifest names it, but it is not there")
for bundle, paths in manifest.get("assets", {}).items():
    for path in paths:
        path = path if isinstance(path, str) else path[-1]
        if path.startswith("orest/") and not list(module.glob(path[len("orest/"):])):
            print(f"{path}: in the assets {bundle}, but it is not there")

for path in sorted(module.rglob("*")):
    name = path.relative_to(module).as_posix()
    if path.suffix in (".pyc", ".pyo") or "__pycache__" in name:
        print(f"{name}: does not belong there")
    elif path.suffix == ".xml":
        root = ET.parse(path).getroot()
        text = path.read_text(encoding="utf-8")
        if "if series" in text:
            print(f"{name}: has a block")
        if series in ("14.0", "17.0") and root.tag == "odoo" and next(root.iter("list"), None) is not None:
            print(f"{name}: has a list")
        if series in ("18.0", "19.0") and next(root.iter("tree"), None) is not None:
            print(f"{name}: has a tree")
        if series != "14.0" and any("attrs" in element.attrib or "states" in element.attrib for element in root.iter()):
            print(f"{name}: has attrs or states")
    elif path.suffix == ".csv":
        rows = list(csv.reader(path.open(encoding="utf-8")))
        if any(len(row) != len(rows[0]) for row in rows):
            print(f"{name}: rows of different lengths")
    elif path.suffix == ".py":
        # 14.0 runs on Python 3.6 and later; we write for 3.7 and later.
        try:
            ast.parse(path.read_text(encoding="utf-8"), name, feature_version=(3, 7))
        except SyntaxError as error:
            print(f"{name}: {error}")
print("looked")
"#;

fn generate(series: &str, output: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_orest"))
        .env_clear()
        .args(["odoo-module", "--series", series, "--output"])
        .arg(output)
        .output()
        .unwrap()
}

#[test]
fn each_series_gets_a_module_that_odoo_can_read() {
    let folder = tempfile::tempdir().unwrap();
    for series in Series::ALL {
        let series = series.to_string();
        let output = folder.path().join(&series);
        let said = generate(&series, &output);
        assert!(said.status.success(), "{said:?}");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let module = output.canonicalize().unwrap().join("orest");
        for what in [format!("orest {series}.1."), module.display().to_string(), "orest pair --odoo-url".to_owned()] {
            assert!(said.contains(&what), "{what}: {said}");
        }
        let looked = Command::new("python3").args(["-c", CHECK]).arg(&module).arg(&series).output().unwrap();
        let found = String::from_utf8_lossy(&looked.stdout);
        assert_eq!(found, "looked\n", "{series}: {}", String::from_utf8_lossy(&looked.stderr));

        let again = generate(&series, &output);
        assert!(String::from_utf8_lossy(&again.stdout).contains("is replaced"), "{again:?}");
    }
}

/// As `orest … | head -1` does.
#[test]
fn nobody_need_read_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_orest"));
    command.env_clear().args(["odoo-module", "--series", "18.0", "--output"]).arg(folder.path());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output =
        command.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn what_can_not_be_written_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |series| {
        let output = generate(series, folder.path());
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused("15.0");
    assert!(said.contains("the module is made for 14.0, 17.0, 18.0, 19.0"), "{said}");
    std::fs::create_dir(folder.path().join("orest")).unwrap();
    let said = refused("18.0");
    assert!(said.contains("was not written by this command") && said.contains("--output"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}
