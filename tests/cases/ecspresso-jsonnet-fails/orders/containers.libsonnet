{
  all: [
    { name: 'orders', image: image },
  ],
}
