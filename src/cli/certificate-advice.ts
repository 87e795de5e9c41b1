import { join } from 'node:path';

export interface AdviceFacts {
  /** Where ca.crt, tls.crt and tls.key were put. */
  readonly directory: string;
  readonly hosts: readonly string[];
  readonly validTo: Date;
  /** What clients write: host and port. */
  readonly address: string;
}

/** What to do with a certificate that was just made: lines to paste, for Baleen and for each client. */
export function certificateAdvice({ directory, hosts, validTo, address }: AdviceFacts): string {
  const [ca, cert, key] = ['ca.crt', 'tls.crt', 'tls.key'].map((name) => join(directory, name));
  const sections = [
    `Made for ${hosts.join(', ')}, good until ${validTo.toISOString().slice(0, 10)}:
  ${cert}   the certificate, for Baleen
  ${key}   its key, for Baleen's user alone
  ${ca}    for the clients: what they have to trust`,

    `Baleen, in its configuration (a running one takes new files up by itself)
  server:
    tls:
      cert: ${cert}
      key: ${key}`,

    `Docker, on each machine; no restart is needed
  sudo mkdir -p /etc/docker/certs.d/${address}
  sudo cp ca.crt /etc/docker/certs.d/${address}/ca.crt`,

    `podman, skopeo, buildah and CRI-O
  sudo mkdir -p /etc/containers/certs.d/${address}
  sudo cp ca.crt /etc/containers/certs.d/${address}/ca.crt`,

    `containerd, with config_path = "/etc/containerd/certs.d" in its configuration
  sudo mkdir -p /etc/containerd/certs.d/${address}
  sudo cp ca.crt /etc/containerd/certs.d/${address}/ca.crt
  and in /etc/containerd/certs.d/${address}/hosts.toml
  server = "https://${address}"
  [host."https://${address}"]
    ca = "/etc/containerd/certs.d/${address}/ca.crt"`,

    `BuildKit, in buildkitd.toml
  [registry."${address}"]
    ca = ["/etc/buildkit/ca.crt"]`,

    `or the whole machine, for all programs; restart docker and containerd afterwards
  Debian, Ubuntu   sudo cp ca.crt /usr/local/share/ca-certificates/baleen.crt && sudo update-ca-certificates
  Fedora, RHEL     sudo cp ca.crt /etc/pki/ca-trust/source/anchors/baleen.crt && sudo update-ca-trust`,

    `Try it
  curl --cacert ${ca} https://${address}/v2/`,
  ];
  return `${sections.join('\n\n')}\n`;
}
