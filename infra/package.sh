#!/bin/sh
# Downloads the function's zip from $URL to $FILE, if its checksum is $SHA256. Terraform runs this.
set -eu

fail() {
  echo "package: $1" >&2
  exit 1
}

# macOS has only the second.
sum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

mkdir -p "$(dirname "$FILE")"
# Another apply may download the same file.
part="$FILE.$$"
trap 'rm -f "$part"' EXIT
curl --fail --silent --show-error --location --retry 3 --output "$part" "$URL" || fail "$URL could not be \
downloaded. Check package.version, and package.url if you use a mirror; this machine needs curl and access to \
that address. Where there is none, use package = { file = … }, or s3_bucket with version."
found=$(sum "$part")
[ "$found" = "$SHA256" ] || fail "$URL has the SHA-256 $found, but package.sha256 is $SHA256. Nothing was \
deployed. Compare with the line of $(basename "$URL") in SHA256SUMS of the same release: correct \
package.sha256 if it differs from that line; otherwise do not use this file, it is not the released one."
mv "$part" "$FILE"
