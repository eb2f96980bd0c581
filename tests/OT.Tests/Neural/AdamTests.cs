using OT.Neural;
using OT.Numerics;
using Xunit;

namespace OT.Tests.Neural;

public class AdamTests
{
    [Fact]
    public void Steps_are_those_of_the_paper()
    {
        var options = new AdamOptions
        {
            LearningRate = 0.05,
            WeightDecay = 0.1,
            L2Penalty = 0.2,
            Beta1 = 0.8,
            Beta2 = 0.95,
        };
        var random = new SeededRandom(3);
        double[] theta = NetCase.Normals(7, random),
            expected = [.. theta],
            m = new double[7],
            v = new double[7];
        var adam = new Adam(7, options);
        for (int t = 1; t <= 20; t++)
        {
            double[] gradient = NetCase.Normals(7, random);
            adam.Step(theta, gradient);
            for (int i = 0; i < 7; i++)
            {
                double g = gradient[i] + (0.2 * expected[i]);
                m[i] = (0.8 * m[i]) + (0.2 * g);
                v[i] = (0.95 * v[i]) + (0.05 * g * g);
                double mHat = m[i] / (1 - Math.Pow(0.8, t)),
                    vHat = v[i] / (1 - Math.Pow(0.95, t));
                expected[i] = expected[i] - (0.05 * 0.1 * expected[i]) - (0.05 * mHat / (Math.Sqrt(vHat) + 1e-8));
                Assert.Equal(expected[i], theta[i], 1e-14 * t);
            }
        }
    }

    [Fact]
    public void The_first_step_has_the_length_of_the_learning_rate_whatever_the_gradient()
    {
        double[] theta = [1, 1, 1];
        new Adam(3, new() { LearningRate = 0.25 }).Step(theta, [1e6, -1e-3, 0]);
        // The floor of 1e-8 shortens a gradient of 1e-3 by 1e-5 of the step.
        Assert.Equal(0.75, theta[0], 1e-13);
        Assert.Equal(1.25, theta[1], 0.25 * 1.1e-5);
        Assert.Equal(1, theta[2]);
    }

    [Fact]
    public void A_quadratic_is_minimised_and_decay_alone_shrinks()
    {
        double[] theta = [5, -3];
        var adam = new Adam(2, new() { LearningRate = 0.1 });
        for (int t = 0; t < 2000; t++)
            adam.Step(theta, [2 * (theta[0] - 1), 20 * (theta[1] - 2)]);
        Assert.Equal(1, theta[0], 1e-6);
        Assert.Equal(2, theta[1], 1e-6);
        var decay = new Adam(2, new() { LearningRate = 0.1, WeightDecay = 0.5 });
        decay.Step(theta, [0, 0]);
        Assert.Equal(0.95, theta[0], 1e-6);
    }

    [Fact]
    public void Steps_allocate_nothing()
    {
        var theta = new double[100];
        var gradient = new double[100];
        var adam = new Adam(100);
        adam.Step(theta, gradient);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int k = 0; k < 100; k++)
            adam.Step(theta, gradient);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200);
    }

    [Fact]
    public void Options_and_lengths_are_checked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(1, new() { LearningRate = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(1, new() { Beta1 = 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(1, new() { Beta2 = double.NaN }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(1, new() { Floor = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(1, new() { WeightDecay = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(1, new() { L2Penalty = double.PositiveInfinity }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adam(-1));
        Assert.Throws<ArgumentException>(() => new Adam(2).Step(new double[2], new double[1]));
        Assert.Throws<ArgumentException>(() => new Adam(2).Step(new double[3], new double[2]));
    }
}
