local must_env = std.native('must_env');
local isProduction = must_env('STAGE') == 'production';
{
  family: 'orders',
  containerDefinitions: [
    {
      name: 'orders',
      image: 'registry.example.com/orders:1',
      memory: if isProduction then 1024 else 256,
    },
  ],
}
