# Stands in for Vagrant: loads the Vagrantfile beside it, and prints what it asks Vagrant for, a line for each call. What
# triggers would do is not done. `ruby stand_in.rb`, for tests: no machine, no provider and no Vagrant are needed.
require "json"

class Recorder < BasicObject
  def initialize(path)
    @path = path
  end

  def method_missing(name, *words, **options, &block)
    path = [*@path, name].join(".")
    words << options unless options.empty?
    inner = ::Recorder.new([*@path, name])
    return inner if words.empty? && block.nil?

    ::Kernel.puts "#{path.delete_suffix('=')} #{words.map { |word| ::JSON.generate(word) }.join(' ')}".rstrip
    block.call(*::Array.new([block.arity.abs, 1].max) { inner }) if block && name != :ruby
    inner
  end

  def respond_to_missing?(*) = true
end

module Vagrant
  def self.configure(_version)
    yield Recorder.new([])
  end
end

begin
  load File.join(__dir__, "Vagrantfile")
rescue Machines::Wrong => error
  abort error.message
end
