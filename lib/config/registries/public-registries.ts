/** What each tool uses without any configuration, as its manual says. npm and APT are asked themselves. */

export const PUBLIC_REGISTRIES = {
  /** pip.pypa.io, `--index-url`; the files lie on a host of their own */
  pip: ['https://pypi.org/simple', 'https://files.pythonhosted.org/'],
  /** doc.rust-lang.org/cargo, Registries: the index, and the `dl` of its config.json */
  cargo: ['https://index.crates.io/', 'https://static.crates.io/'],
  /** go.dev/ref/mod, GOPROXY and GOSUMDB */
  go: ['https://proxy.golang.org', 'https://sum.golang.org'],
  /** maven.apache.org, the super POM's `central` */
  maven: ['https://repo.maven.apache.org/maven2'],
  /** guides.rubygems.org, `gem sources` */
  rubygems: ['https://rubygems.org/'],
};
