package main

func Example() {
	main()
	// Output:
	// i-bp1ek6yd7jvkx3m9q0ta gets no new requests
	// left: i-bp1fq61enf4loa5i2w8z:80 weight 100
}
