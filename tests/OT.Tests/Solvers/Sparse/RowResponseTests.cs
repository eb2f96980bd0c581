using OT.Numerics;
using OT.Solvers.Sparse;
using OT.Testing;
using Xunit;

namespace OT.Tests.Solvers.Sparse;

/// <summary>One row's best response: masses, thresholds and derivatives.</summary>
public class RowResponseTests
{
    static double[] Values(SeededRandom random, int length, bool ties)
    {
        var values = new double[length];
        for (int j = 0; j < length; j++)
            values[j] = ties ? random.NextInt(4) : random.NextNormal();
        return values;
    }

    static double[] Dense(RowResponse response, int length)
    {
        var masses = new double[length];
        for (int k = 0; k < response.Count; k++)
            masses[response.Columns[k]] = response.Masses[k];
        return masses;
    }

    /// <summary>Against every set of entries.</summary>
    [Fact]
    public void A_limited_response_is_the_best_of_all_supports()
    {
        var random = new SeededRandom(1);
        for (int trial = 0; trial < 2000; trial++)
        {
            int length = 1 + random.NextInt(7),
                most = 1 + random.NextInt(length);
            double gamma = Math.Exp(3 * random.NextNormal()),
                mass = 0.1 + random.NextDouble();
            double[] values = Values(random, length, trial % 3 == 0);
            var response = new RowResponse(gamma, 0, most);
            Assert.True(response.Solve(values, mass, double.PositiveInfinity, double.NegativeInfinity));
            double[] p = Dense(response, length);
            Assert.True(response.Count <= most);
            Approx.Equal(mass, p.Sum(), 1e-13 * mass, "mass");
            double value = values.Zip(p, (v, x) => (v * x) - (0.5 * gamma * x * x)).Sum();
            double best = SparseOracles.LargestResponse(values, mass, gamma, most);
            Approx.Equal(best, value, 1e-11 * (1 + Math.Abs(best)), "value");
            // What the row adds to the semi-dual: −(⟨v, p⟩ − φ(p)) = φ − ⟨s, p⟩ + a f.
            Approx.Equal(-best, response.Value + (mass * response.F), 1e-11 * (1 + Math.Abs(best) + (gamma * mass)), "semi-dual");
        }
    }

    /// <summary>Smoothed: the optimality conditions of the k-support norm, entry by entry.</summary>
    [Fact]
    public void A_smoothed_response_meets_its_optimality_conditions()
    {
        var random = new SeededRandom(2);
        int tails = 0;
        for (int trial = 0; trial < 3000; trial++)
        {
            int length = 1 + random.NextInt(12),
                most = 1 + random.NextInt(length);
            double gamma = Math.Exp(2 * random.NextNormal()),
                sigma = gamma * Math.Pow(10, -6 * random.NextDouble()),
                mass = 0.1 + random.NextDouble();
            double[] values = Values(random, length, trial % 3 == 0);
            var response = new RowResponse(gamma, sigma, most);
            Assert.True(response.Solve(values, mass, double.PositiveInfinity, double.NegativeInfinity));
            double[] p = Dense(response, length);
            double rounding = 1e-12 * gamma / sigma;
            Approx.Equal(mass, p.Sum(), rounding * mass, "mass");
            double level = response.Level;
            // A mass of the tail is (s − γL)/σ: what rounding does to L, it does γ/σ times to the mass.
            double allowed = (1e-11 * (1 + gamma + Math.Abs(response.F))) + (1e-14 * gamma * gamma / sigma);
            if (level > 0)
            {
                tails++;
                Approx.Equal(most, p.Sum(x => Math.Min(x / level, 1)), rounding * most, "count");
            }
            else
            {
                Assert.True(response.Count <= most);
            }
            for (int j = 0; j < length; j++)
            {
                // The gradient of φ is γp on the head, γL below the level: s = γ max(p, L) + σp where p is positive, at most γL where it is 0.
                double s = response.F + values[j],
                    wanted = (gamma * Math.Max(p[j], level)) + (sigma * p[j]);
                if (p[j] > 0)
                    Approx.Equal(wanted, s, allowed, "gradient");
                else if (level > 0 || response.Count < most)
                    Assert.True(s <= wanted + allowed, "an entry was left out");
            }
        }
        Assert.True(tails > 500, $"only {tails} tails were seen");
    }

    /// <summary>A guess may only save time.</summary>
    [Fact]
    public void Guesses_change_no_bit()
    {
        var random = new SeededRandom(3);
        for (int trial = 0; trial < 500; trial++)
        {
            double[] values = Values(random, 40, trial % 2 == 0);
            double sigma = trial % 4 == 0 ? 0 : 0.01;
            var plain = new RowResponse(0.5, sigma, 5);
            plain.Solve(values, 1, double.PositiveInfinity, double.NegativeInfinity);
            var guessed = new RowResponse(0.5, sigma, 5);
            guessed.Solve(values, 1, Math.Pow(10, -4 * random.NextDouble()), double.NegativeInfinity);
            Assert.Equal(Dense(plain, 40), Dense(guessed, 40));
            Assert.Equal(plain.F, guessed.F);
        }
    }

    /// <summary>Beside prices whose rounding hides γ a, the largest value still takes the whole mass.</summary>
    [Fact]
    public void A_light_row_keeps_its_mass_beside_large_prices()
    {
        var random = new SeededRandom(4);
        for (int length = 1; length < 40; length++)
        {
            double[] values = Array.ConvertAll(Values(random, length, ties: false), v => 1e6 * v);
            var response = new RowResponse(1e-6, 0, int.MaxValue);
            Assert.True(response.Solve(values, 1e-9, double.PositiveInfinity, double.NegativeInfinity));
            Assert.Equal(1e-9, Dense(response, length).Sum());
        }
    }

    /// <summary>H is the derivative of the column sums.</summary>
    [Theory]
    [InlineData(0, int.MaxValue)]
    [InlineData(0, 3)]
    [InlineData(0.05, 3)]
    [InlineData(0.5, 2)]
    public void The_matrix_is_the_derivative_of_the_column_sums(double sigma, int most)
    {
        var drawn = new TransportCase(40, 25, 5, CaseKind.Plain);
        using var blocks = new RowBlocks(1);
        var geometry = new OT.Geometries.CostMatrix(drawn.Costs());
        double[] a = drawn.A(),
            b = drawn.B();
        var random = new SeededRandom(4);
        double[] g = [.. b.Select(_ => 0.1 * random.NextNormal())],
            direction = [.. b.Select(_ => random.NextNormal())];
        const double step = 1e-7;
        double[] Sums(double t)
        {
            var at = new Responses(geometry, a, b, blocks, new Shortlists(geometry));
            Assert.True(at.Run([.. g.Zip(direction, (x, d) => x + (t * d))], 1, sigma, most, CancellationToken.None));
            return at.ColumnSums;
        }
        var here = new Responses(geometry, a, b, blocks, new Shortlists(geometry));
        Assert.True(here.Run(g, 1, sigma, most, CancellationToken.None));
        var image = new double[b.Length];
        here.Multiply(direction, [], image);
        double[] difference = [.. Sums(step).Zip(Sums(-step), (p, q) => (p - q) / (2 * step))];
        Approx.Equal(difference, image, 1e-5 * image.Max(Math.Abs), "derivative");
        var diagonal = new double[b.Length];
        here.Diagonal(diagonal);
        for (int j = 0; j < b.Length; j++)
        {
            var unit = new double[b.Length];
            unit[j] = 1;
            here.Multiply(unit, [], image);
            Approx.Equal(image[j], diagonal[j], 1e-12 * (1 + Math.Abs(image[j])), "diagonal");
        }
    }

    /// <summary>An entry that enters and leaves by an ulp must not keep the search going.</summary>
    [Fact(Timeout = 60_000)]
    public Task Rounding_at_a_threshold_ends() =>
        Task.Run(
            () =>
            {
                var response = new RowResponse(1, 0, int.MaxValue);
                Assert.True(response.Solve([0, -1], 1 + Math.ScaleB(1, -52), double.PositiveInfinity, double.NegativeInfinity));
                Approx.Equal(1, response.Top, 1e-15, "top");
            },
            TestContext.Current.CancellationToken
        );
}
