// The first import of all: an old Node.js fails on the others with messages that explain nothing.
const required = 24;
const major = Number(process.versions.node.split('.', 1)[0]);
if (major < required) {
  process.stderr.write(
    `baleen: needs Node.js ${required} or newer, and this is ${process.version}. ` +
      'In a checkout, "npm ci && npm start" brings its own.\n',
  );
  process.exit(1);
}
