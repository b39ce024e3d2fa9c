# The machines of an inventory: what `kubewright hosts` says of its hosts, and what a virtual machine wants beside that.
# Knows nothing of Vagrant and its providers.
require "ipaddr"
require "json"
require "open3"
require "set"

module Machines
  BOXES = {
    "debian-12" => "debian/bookworm64",
    "ubuntu-24.04" => "cloud-image/ubuntu-24.04",
    "rocky-9" => "rockylinux/9"
  }.freeze
  GIBIBYTE = 1 << 30

  Machine = Struct.new(:name, :address, :network, :memory, :cpus, :disks, keyword_init: true)

  # A message for whoever runs Vagrant; there is no use in where it was raised.
  class Wrong < (defined?(Vagrant::Errors::VagrantError) ? Vagrant::Errors::VagrantError : StandardError)
    def initialize(message = nil)
      @text = message
      super
    end

    def message = @text
    alias to_s message
  end

  # What may be said in the environment.
  class Settings
    attr_reader :inventory, :program, :box, :driver, :cpus, :disk, :ends_with

    def initialize(env)
      @env = env
      here = File.expand_path(__dir__)
      @inventory = File.expand_path(text("INVENTORY", "#{here}/../inventories/vagrant.yaml"))
      built = "#{here}/../target/x86_64-unknown-linux-musl/release/kubewright"
      @program = text("VAGRANT_PROGRAM", File.executable?(built) ? File.expand_path(built) : "kubewright")
      box = text("VAGRANT_BOX", "debian-12")
      @box = BOXES.fetch(box, box)
      @driver = one_of("VAGRANT_DRIVER", %w[kvm qemu], File.exist?("/dev/kvm") ? "kvm" : "qemu")
      @cpus = number("VAGRANT_CPUS", 2)
      @disk = number("VAGRANT_DISK", 20)
      @ends_with = one_of("VAGRANT_UP", %w[cluster hosts], "cluster")
      @memory = { true => number("VAGRANT_MEMORY_MASTER", 3072), false => number("VAGRANT_MEMORY_WORKER", 2048) }
    end

    def memory(roles) = @memory[roles.include?("control-plane")]

    private

    def text(name, default)
      value = @env["KUBEWRIGHT_#{name}"].to_s
      value.empty? ? default : value
    end

    def one_of(name, known, default)
      value = text(name, default)
      known.include?(value) ? value : raise(Wrong, "KUBEWRIGHT_#{name}=#{value} is none of #{known.join(', ')}")
    end

    def number(name, default)
      value = text(name, default.to_s)
      value.match?(/\A[1-9]\d*\z/) ? value.to_i : raise(Wrong, "KUBEWRIGHT_#{name}=#{value} is no number above 0")
    end
  end

  # Those of the inventory that the settings name.
  def self.load(settings)
    hosts, said, status = Open3.capture3(settings.program, "hosts", "-i", settings.inventory, "-o", "json")
    raise Wrong, "kubewright cannot read the inventory:\n#{said}" unless status.success?

    of(JSON.parse(hosts), settings)
  rescue Errno::ENOENT
    raise Wrong, "there is no #{settings.program}: make it by `make build`, or name it in KUBEWRIGHT_VAGRANT_PROGRAM"
  end

  def self.of(hosts, settings)
    machines = hosts.map do |host|
      address = IPAddr.new(host["address"])
      raise Wrong, "#{host['name']} has #{address}; machines have addresses of IPv4" unless address.ipv4?

      roles = host["roles"]
      Machine.new(
        name: host["name"], address: address.to_s, network: "kubewright-#{address.mask(24)}",
        memory: settings.memory(roles), cpus: settings.cpus,
        disks: host.fetch("disks", []).map { |disk| gibibytes(disk, settings) }
      )
    end
    in_one_network(machines)
  end

  # Large enough for the inventory, and not too large for it.
  def self.gibibytes(disk, settings)
    least = (disk["least"].to_i + GIBIBYTE - 1) / GIBIBYTE
    most = disk["most"] ? disk["most"] / GIBIBYTE : settings.disk
    [[settings.disk, most].min, least, 1].max
  end

  def self.in_one_network(machines)
    networks = machines.map(&:network).uniq
    raise Wrong, "the addresses are of several /24 (#{networks.join(', ')}); machines share one" if networks.size > 1

    first = machines.find { |machine| machine.address.end_with?(".1") }
    raise Wrong, "#{first.name} has #{first.address}, which is this machine's own in that network" if first

    machines
  end

  UP = Set.new
  GUARD = Mutex.new

  # Where all machines are up, the cluster is next: whichever comes last, because they start together.
  def self.up(machine, machines, settings)
    complete = GUARD.synchronize { UP.add(machine.name).size == machines.size }
    return unless complete && settings.ends_with == "cluster"

    words = ["-i", settings.inventory, "--accept-new-host-keys"]
    return if system(settings.program, "install", *words)

    raise Wrong, "the machines are up, and there is no cluster on them yet. When the cause is mended, go on with\n" \
                 "#{settings.program} install #{words.join(' ')}"
  end

  # A machine that is made anew has another key, and the old one would be missed.
  def self.forget_key(machine)
    known = File.join(Dir.home, ".ssh", "known_hosts")
    system("ssh-keygen", "-f", known, "-R", machine.address, out: File::NULL, err: File::NULL) if File.exist?(known)
  end
end
