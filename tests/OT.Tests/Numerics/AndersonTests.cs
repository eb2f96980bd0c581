using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class AndersonTests
{
    /// <summary>An affine contraction in three dimensions is solved by four residuals, whatever its rate.</summary>
    [Fact]
    public void An_affine_map_is_solved_in_as_many_steps_as_dimensions()
    {
        double[] rates = [0.999, 0.9, -0.5],
            target = [3, -2, 7];
        var anderson = new Anderson(5, 3);
        double[] x = [0, 0, 0];
        for (int k = 0; k < 8; k++)
        {
            double[] point = [.. x];
            for (int d = 0; d < 3; d++)
                x[d] = target[d] + (rates[d] * (x[d] - target[d]));
            anderson.Mix(point, x, 1);
        }
        // The ridge of 1e-10 and the slow direction of rate 0.999 leave about 1e-10 / (1 − 0.999) of the first residual.
        for (int d = 0; d < 3; d++)
            Assert.Equal(target[d], x[d], 1e-6);
    }

    [Fact]
    public void The_first_image_is_kept_and_so_is_a_fixed_point()
    {
        var anderson = new Anderson(4, 2);
        double[] image = [5, 6];
        anderson.Mix([1, 2], image, 1);
        Assert.Equal([5, 6], image);
        anderson.Clear();
        for (int k = 0; k < 6; k++)
        {
            image = [5, 6];
            anderson.Mix([5, 6], image, 1); // no residual at all
            Assert.Equal([5, 6], image);
        }
    }

    [Fact]
    public void Equal_and_infinite_residuals_do_no_harm()
    {
        var anderson = new Anderson(4, 2);
        for (int k = 0; k < 6; k++)
        {
            double[] image = [2, 4];
            anderson.Mix([1, 2], image, 1);
            Assert.Equal([2, 4], image, (x, y) => Math.Abs(x - y) < 1e-12);
        }
        double[] broken = [double.PositiveInfinity, 1];
        anderson.Mix([1, 2], broken, 1);
        Assert.Equal([double.PositiveInfinity, 1], broken);
    }

    [Fact]
    public void Mixing_allocates_nothing()
    {
        var anderson = new Anderson(8, 100);
        var random = new SeededRandom(1);
        double[] point = new double[100],
            image = [.. Enumerable.Range(0, 100).Select(_ => random.NextDouble())];
        anderson.Mix(point, image, 1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int k = 0; k < 100; k++)
        {
            point[k] = k;
            anderson.Mix(point, image, 1);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200);
    }
}
