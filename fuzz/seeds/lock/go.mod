// The shop.
module shop.example/checkout

go 1.23.0

toolchain go1.23.2

godebug default=go1.21

require (
	github.com/davecgh/go-spew v1.1.1
	golang.org/x/text v0.14.0 // indirect
)

require "rsc.io/quote" v1.5.2

exclude golang.org/x/text v0.13.0
exclude golang.org/x/text v0.12.0

replace (
	rsc.io/quote v1.5.2 => ../quote
	golang.org/x/net => golang.org/x/net v0.29.0
)

retract [v1.0.0, v1.0.9] // lost orders

retract v1.1.0
