package main

func Example() {
	main()
	// Output:
	// 192.168.0.11:80 existed
	// 192.168.0.12:80 successful
	// 192.168.0.13:80 successful
	// 192.168.0.11:80 weight 1 ONLINE
	// 192.168.0.12:80 weight 1 ONLINE
	// 192.168.0.13:80 weight 0 ONLINE
}
