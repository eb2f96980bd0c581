using FsCheck;
using FsCheck.Fluent;
using OT.Applications.Rebasin;
using OT.Numerics;
using OT.Solvers.Entropic;
using OT.Testing;
using OT.Tests.Neural;
using Xunit;

namespace OT.Tests.Applications.Rebasin;

public class SoftPermutationTests
{
    static readonly SinkhornOptions s_tight = new() { Tolerance = 1e-13, MaxIterations = 100_000 };

    static Arbitrary<(int Size, ulong Seed, double Temperature)> Cases() =>
        Arb.From(
            from size in Gen.Choose(1, 6)
            from seed in Gen.Choose(0, int.MaxValue)
            from temperature in Gen.Elements(0.1, 0.7, 1.0)
            select (size, (ulong)seed, temperature)
        );

    [Fact]
    public void GradientVsFiniteDifference() =>
        Law.Check(
            Cases(),
            item =>
            {
                (int h, ulong seed, double temperature) = item;
                var random = new SeededRandom(seed);
                Matrix x = NetCase.Normals(h, h, random),
                    g = NetCase.Normals(h, h, random),
                    direction = NetCase.Normals(h, h, random);
                Matrix backward = new SoftPermutation(x, temperature, s_tight).Backward(g);
                // Steps in units of the temperature: an error of 1e-13 in P costs 1e-8 of the slope, a step of 1e-5 about 1e-10.
                double step = 1e-5 * temperature;
                double Along(double t)
                {
                    double[] moved = [.. Enumerable.Range(0, h * h).Select(k => x.Values[k] + (t * direction.Values[k]))];
                    Matrix p = new SoftPermutation(new Matrix(h, h, moved), temperature, s_tight).Plan;
                    return Summation.Dot(g.Values, p.Values);
                }
                double difference = (Along(step) - Along(-step)) / (2 * step);
                double slope = Summation.Dot(backward.Values, direction.Values);
                double size = backward.Values.ToArray().Sum(Math.Abs) + (h / temperature * 1e-2);
                Approx.Equal(difference, slope, 1e-6 * size, "slope");
                for (int i = 0; i < h; i++)
                {
                    Approx.Equal(0, backward.Row(i).ToArray().Sum(), 1e-10 * size, "row sum");
                    Approx.Equal(0, backward.Transpose().Row(i).ToArray().Sum(), 1e-10 * size, "column sum");
                }
            },
            fullCount: 1000
        );

    [Fact]
    public void Backward_solves_the_system_of_the_formula() =>
        Law.Check(
            Cases(),
            item =>
            {
                (int h, ulong seed, double temperature) = item;
                var random = new SeededRandom(seed);
                Matrix x = NetCase.Normals(h, h, random),
                    g = NetCase.Normals(h, h, random);
                var soft = new SoftPermutation(x, temperature, s_tight);
                double[] expected = Naive(soft.Plan, g, temperature);
                double size = expected.Max(Math.Abs) + (1e-3 / temperature);
                // Elimination loses the digits of the condition number, which grows as P hardens.
                Approx.Equal(expected, soft.Backward(g).Values, 1e-8 * size, "∂ℓ/∂X");
            },
            fullCount: 1000
        );

    /// <summary>The bordered system with the last unknown fixed to 0, by MathNet's LU.</summary>
    static double[] Naive(Matrix plan, Matrix gradient, double temperature)
    {
        int h = plan.Rows,
            size = (2 * h) - 1;
        var system = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(size, size);
        var right = MathNet.Numerics.LinearAlgebra.Vector<double>.Build.Dense(size);
        double Scaled(int i, int j) => plan[i, j] * gradient[i, j] / temperature;
        for (int i = 0; i < h; i++)
        {
            for (int j = 0; j < h; j++)
            {
                system[i, i] += plan[i, j];
                right[i] += Scaled(i, j);
                if (j == h - 1)
                    continue;
                system[h + j, h + j] += plan[i, j];
                system[i, h + j] = system[h + j, i] = plan[i, j];
                right[h + j] += Scaled(i, j);
            }
        }
        var solution = system.Solve(right);
        var result = new double[h * h];
        for (int i = 0; i < h; i++)
        {
            for (int j = 0; j < h; j++)
                result[(i * h) + j] = Scaled(i, j) - (plan[i, j] * (solution[i] + (j == h - 1 ? 0 : solution[h + j])));
        }
        return result;
    }

    [Fact]
    public void Constants_on_rows_and_columns_change_nothing() =>
        Law.Check(
            Cases(),
            item =>
            {
                (int h, ulong seed, double temperature) = item;
                var random = new SeededRandom(seed);
                Matrix x = NetCase.Normals(h, h, random);
                double[] rows = NetCase.Normals(h, random),
                    columns = NetCase.Normals(h, random);
                double[] shifted = [.. Enumerable.Range(0, h * h).Select(k => x.Values[k] + rows[k / h] + columns[k % h])];
                // Both plans miss their sums by h times 1e-13 at most, and rounding of scores is divided by the temperature.
                double tolerance = 1e-11 * h / temperature;
                Approx.Equal(
                    new SoftPermutation(x, temperature, s_tight).Plan.Values,
                    new SoftPermutation(new Matrix(h, h, shifted), temperature, s_tight).Plan.Values,
                    tolerance,
                    "P"
                );
            }
        );

    [Theory]
    [InlineData(2)]
    [InlineData(6)]
    [InlineData(15)]
    public void Cold_is_the_assignment_and_hot_is_uniform(int h)
    {
        // Scores with a planted best permutation: its entries exceed all others by 1 at least.
        var random = new SeededRandom((ulong)h);
        int[] planted = random.NextPermutation(h);
        double[] x = [.. Enumerable.Range(0, h * h).Select(k => random.NextDouble() + (planted[k / h] == k % h ? 2 : 0))];
        var scores = new Matrix(h, h, x);
        Assert.Equal(planted, SoftPermutation.Harden(scores));
        Matrix cold = new SoftPermutation(scores, 0.02).Plan,
            hot = new SoftPermutation(scores, 1e6).Plan;
        for (int i = 0; i < h; i++)
        {
            for (int j = 0; j < h; j++)
            {
                // A swap loses 2 at least: its entries are e^(−1/0.02) of the others. To first order P moves by |X|/(h τ) from 1/h.
                Assert.Equal(planted[i] == j ? 1 : 0, cold[i, j], 1e-8);
                Assert.Equal(1.0 / h, hot[i, j], 1e-5);
            }
        }
    }

    [Fact]
    public void The_derivative_of_a_plan_that_is_hard_vanishes()
    {
        int h = 5;
        double[] x = [.. Enumerable.Range(0, h * h).Select(k => k / h == k % h ? 60.0 : 0)];
        Matrix g = NetCase.Normals(h, h, new SeededRandom(1));
        foreach (double temperature in (double[])[1, 0.1, 0.05])
        {
            Matrix backward = new SoftPermutation(new Matrix(h, h, x), temperature).Backward(g);
            // P off the diagonal is at most e^−60, and so is the derivative, up to the 1e-9 by which row sums miss 1.
            Assert.InRange(backward.Values.ToArray().Max(Math.Abs), 0, 1e-8 / temperature);
        }
    }

    /// <summary>Blocks between which no mass is left have the derivatives of each alone.</summary>
    [Theory]
    [InlineData(-40)]
    [InlineData(-1000)]
    public void Blocks_that_do_not_touch_are_differentiated_alone(double between)
    {
        var random = new SeededRandom(5);
        int[] sizes = [2, 3];
        Matrix[] scores = [.. sizes.Select(h => NetCase.Normals(h, h, random))],
            gradients = [.. sizes.Select(h => NetCase.Normals(h, h, random))];
        double[] all = [.. Enumerable.Repeat(between, 25)],
            gradient = NetCase.Normals(25, random);
        foreach ((int block, int i, int j) in Entries(sizes))
        {
            int at = (((2 * block) + i) * 5) + (2 * block) + j;
            (all[at], gradient[at]) = (scores[block][i, j], gradients[block][i, j]);
        }
        Matrix together = new SoftPermutation(new Matrix(5, 5, all), 1, s_tight).Backward(new Matrix(5, 5, gradient));
        Matrix[] alone = [.. scores.Zip(gradients, (x, g) => new SoftPermutation(x, 1, s_tight).Backward(g))];
        foreach ((int block, int i, int j) in Entries(sizes))
            Assert.Equal(alone[block][i, j], together[(2 * block) + i, (2 * block) + j], 1e-9);
    }

    static IEnumerable<(int Block, int Row, int Column)> Entries(int[] sizes) =>
        from block in Enumerable.Range(0, sizes.Length)
        from i in Enumerable.Range(0, sizes[block])
        from j in Enumerable.Range(0, sizes[block])
        select (block, i, j);

    [Fact]
    public void Scores_are_checked()
    {
        Assert.Throws<ArgumentException>(() => new SoftPermutation(new Matrix(2, 3), 1));
        Assert.ThrowsAny<ArgumentException>(() => new SoftPermutation(new Matrix(0, 0), 1));
        Assert.Throws<ArgumentException>(() => new SoftPermutation(new Matrix(1, 1, [double.NaN]), 1));
        Assert.ThrowsAny<ArgumentException>(() => new SoftPermutation(new Matrix(1, 1, [1]), 0));
        Assert.ThrowsAny<ArgumentException>(() => new SoftPermutation(new Matrix(1, 1, [1]), double.NaN));
        Assert.Throws<ArgumentException>(() => SoftPermutation.Harden(new Matrix(2, 3)));
        Assert.Throws<ArgumentException>(() => new SoftPermutation(new Matrix(2, 2), 1).Backward(new Matrix(2, 3)));
        Assert.ThrowsAny<ArgumentException>(() =>
            new SoftPermutation(new Matrix(1, 1), 1).Backward(new Matrix(1, 1, [double.PositiveInfinity]))
        );
        Assert.Equal([1], new SoftPermutation(new Matrix(1, 1, [7]), 1).Plan.Values.ToArray());
    }
}
