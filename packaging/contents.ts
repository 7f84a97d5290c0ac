// What a Debian package contains (packaging): every file with its place and mode, and the control files that dpkg reads. The tree
// is the only list; md5sums, conffiles and the size are made from it.

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { helpText } from "#cli/help.ts";

import packageJson from "../package.json" with { type: "json" };
import { manualPage } from "./manual.ts";

/** One file of the package. */
export interface Entry {
  /** Where it is installed, without the first slash. */
  readonly path: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** What distinguishes one build from another. */
export interface Build {
  /** As dpkg names machines. */
  readonly architecture: string;
  /** As `build.ts` wrote it. */
  readonly executable: Uint8Array;
  readonly commit: string;
  /** The date of the package, since 1970. */
  readonly seconds: number;
  /** `Name <address>`. */
  readonly maintainer: string;
}

/** Raised when the same version is packaged anew. */
const REVISION = 1;

const NAME = packageJson.name;
/** A pre-release comes before its release: dpkg says so with `~`. */
export const debianVersion: string = `${packageJson.version.replace("-", "~")}-${REVISION}`;

const root: string = resolve(import.meta.dir, "..");

/** Every file that is installed, in the order of paths. */
export function contents(build: Build): readonly Entry[] {
  const share = `usr/share/doc/${NAME}`;
  const entries: readonly Entry[] = [
    { path: `usr/bin/${NAME}`, mode: 0o755, bytes: build.executable },
    file("etc/snow-owl/tftp.toml", "packaging/tftp.toml"),
    ...filesIn("packaging/systemd", "usr/lib/systemd/system", /\.(?:service|socket)$/),
    // With the places that they have in the sources, so that links from one to the other work.
    ...filesIn("docs", `${share}/docs`, /\.md$/),
    file(`${share}/README.md`, "README.md"),
    ...filesIn("packaging/grafana", `${share}/packaging/grafana`, /\.json$/),
    ...filesIn("packaging/prometheus", `${share}/packaging/prometheus`, /\.rules\.yml$/),
    ...filesIn("examples", `${share}/examples`, /\.(?:toml|md)$/),
    file(`${share}/copyright`, "packaging/debian/copyright"),
    file(`usr/share/lintian/overrides/${NAME}`, "packaging/debian/lintian-overrides"),
    compressed(`${share}/changelog.gz`, readFileSync(join(root, "CHANGELOG.md"))),
    compressed(`${share}/changelog.Debian.gz`, changelog(build)),
    compressed(
      `usr/share/man/man8/${NAME}.8.gz`,
      manualPage(helpText(packageJson.version), build.seconds),
    ),
  ];
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The files of the folder DEBIAN for a package with `entries`. */
export function controlFiles(build: Build, entries: readonly Entry[]): readonly Entry[] {
  const conffiles = entries.filter(({ path }) => path.startsWith("etc/"));
  const scripts = ["postinst", "postrm", "prerm"];
  return [
    text("control", control(build, entries)),
    text("conffiles", conffiles.map(({ path }) => `/${path}\n`).join("")),
    text("md5sums", entries.map(({ path, bytes }) => `${md5(bytes)}  ${path}\n`).join("")),
    ...scripts.map((name) => file(name, `packaging/debian/${name}`, 0o755)),
  ];
}

function control({ architecture, maintainer }: Build, entries: readonly Entry[]): string {
  const kibibytes = entries.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / 1024), 0);
  // Other servers want port 69 as well. Who installs this one wants it instead of them: dpkg removes them, but only if Conflicts
  // stands before Provides, because it takes fields in their order and cannot settle what others say of ours.
  const servers = "tftpd, tftp-server, tftpd-hpa, atftpd";
  return `Package: ${NAME}
Version: ${debianVersion}
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${kibibytes}
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: adduser, libc6 (>= 2.17)
Suggests: pxelinux
Conflicts: ${servers}
Replaces: ${servers}
Provides: tftpd, tftp-server
Section: net
Priority: optional
Description: fast and careful TFTP server for network boot
 Serves boot loaders, kernels and configurations to machines that start from
 the network, and takes uploads from switches and other devices.
 .
 It sends whole windows of blocks with one call to the kernel, on every core.
 Rules decide by network, hardware address and name what each client gets.
 Uploads appear whole and durable, or not at all. It reads the configuration
 of Snow-Owl and translates those of tftpd-hpa, dnsmasq and atftpd.
`;
}

function changelog({ commit, maintainer, seconds }: Build): string {
  const date = new Date(seconds * 1000).toUTCString().replace("GMT", "+0000");
  return `${NAME} (${debianVersion}) unstable; urgency=medium

  * Built from commit ${commit}. What is new is in changelog.gz.

 -- ${maintainer}  ${date}
`;
}

/** The files of a folder, not of those below it, whose names match. */
function filesIn(folder: string, target: string, names: RegExp): readonly Entry[] {
  return readdirSync(join(root, folder))
    .filter((name) => names.test(name))
    .map((name) => file(`${target}/${name}`, `${folder}/${name}`));
}

function file(path: string, source: string, mode = 0o644): Entry {
  return { path, mode, bytes: readFileSync(join(root, source)) };
}

function text(path: string, content: string): Entry {
  return { path, mode: 0o644, bytes: Buffer.from(content) };
}

/** Bun writes no time into the header, so that equal content is equal bytes. */
function compressed(path: string, content: string | Uint8Array<ArrayBuffer>): Entry {
  return { path, mode: 0o644, bytes: Bun.gzipSync(content, { level: 9 }) };
}

function md5(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}
