/** Stands under the options in `baleen --help`. */
export const helpEpilogue = `
Examples:
  baleen                                   serve docker.io and the well-known public
                                           registries on port 5000, images in ./data
  baleen --config /etc/baleen/config.yaml  serve with a configuration
  baleen --listen :8080 --data /srv/images serve elsewhere
  baleen config check --config new.yaml    before a restart: what is wrong with it?
  baleen config print                      which settings are in effect?
  baleen warm nginx:1.27 redis:7           fetch images before anybody asks for them
  baleen verify --repair                   hash everything stored, set right what is wrong
  baleen purge nginx:1.25                  remove an image
  baleen export nginx:1.25 -o images.tar   write images into a file, to be carried elsewhere
  baleen --hosted '*'                      be a registry to push to, too
  baleen user add alice                    let somebody log in
  baleen cert self-signed --host reg.lan   make a certificate, and say where it goes

Configuration:
  config.example.yaml documents every key and shows the defaults. Without --config
  and BALEEN_CONFIG no file is read. Every setting has a variable that overrides the
  file: storage.max_size is BALEEN_STORAGE_MAX_SIZE, upstreams.docker.io.offline is
  BALEEN_UPSTREAMS_DOCKER_IO_OFFLINE. Options override both.

Exit status:
  0  all is well, also after SIGTERM and a clean stop
  1  it failed while starting or running, or a check found something wrong
  2  the command line or the configuration is wrong; nothing was started
`;
