# Sourced: installs or finds the software of others, for this folder and for tests/e2e.

interop="$HOME/.cache/dmslake/tools/interop"
export DMSLAKE_INTEROP_TOOLS=$interop

# The newest JDK in /usr/lib/jvm whose version is in the given range.
find_java() {
  local home version best="" newest=0
  for home in /usr/lib/jvm/*/; do
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null || true)
    if [ -x "$home/bin/javac" ] && [ "${version:-0}" -ge "$1" ] && [ "$version" -le "$2" ] &&
      [ "$version" -gt "$newest" ]; then
      newest=$version best=${home%/}
    fi
  done
  [ -n "$best" ] || { echo "no JDK $1 in /usr/lib/jvm" >&2; return 1; }
  echo "$best"
}

# Spark 4.0 runs on Java 17 and 21, Trino 476 on Java 24 and newer.
find_javas() {
  DMSLAKE_JAVA_17=${DMSLAKE_JAVA_17:-$(find_java 17 21)}
  DMSLAKE_JAVA_25=${DMSLAKE_JAVA_25:-$(find_java 24 99)}
  export DMSLAKE_JAVA_17 DMSLAKE_JAVA_25
}

# An artifact of Maven Central, once.
artifact() {
  [ -e "$2/$3" ] || mvn -q -B dependency:copy -Dartifact="$1" -DoutputDirectory="$2"
}

install_tools() {
  [ -x "$interop/venv/bin/python" ] || python3 -m venv "$interop/venv"
  "$interop/venv/bin/pip" install -q -r "$(dirname "${BASH_SOURCE[0]}")/requirements.txt"
  [ -x "$interop/spark-3.5/bin/python" ] || python3 -m venv "$interop/spark-3.5"
  "$interop/spark-3.5/bin/pip" install -q pyspark==3.5.6
  artifact io.delta:delta-spark_2.13:4.0.1 "$interop/jars" delta-spark_2.13-4.0.1.jar
  artifact io.delta:delta-storage:4.0.1 "$interop/jars" delta-storage-4.0.1.jar
  [ -d "$interop/trino-476" ] || install_trino
}

# Only one connector of the server is kept. Its files are links to those of other connectors,
# so the whole archive must be unpacked first.
install_trino() {
  local part="$interop/trino.part"
  rm -rf "$part"
  mkdir -p "$part/server"
  artifact io.trino:trino-server:476:tar.gz "$part" trino-server-476.tar.gz
  tar -xzf "$part/trino-server-476.tar.gz" -C "$part/server" --strip-components=1
  find "$part/server/plugin" -mindepth 1 -maxdepth 1 ! -name delta-lake -exec rm -rf {} +
  mv "$part/server" "$interop/trino-476"
  rm -rf "$part"
}
