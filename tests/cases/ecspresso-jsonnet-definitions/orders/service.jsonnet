local count = 2;
{
  desiredCount: count,
  launchType: 'FARGATE',
  networkConfiguration: {
    awsvpcConfiguration: { subnets: ['subnet-0123456789abcdef0'] },
  },
}
