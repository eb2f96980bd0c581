using OT.Geometries;
using OT.Problems;
using Xunit;

namespace OT.Tests.Problems;

public class ProblemTests
{
    static readonly CostMatrix Costs = new(
        new double[,]
        {
            { 1, 2, 3, 6 },
        }
    );

    [Theory]
    [InlineData(EpsilonScale.Absolute, 1)]
    [InlineData(EpsilonScale.Mean, 3)]
    [InlineData(EpsilonScale.Median, 2.5)]
    [InlineData(EpsilonScale.Max, 6)]
    [InlineData(EpsilonScale.StandardDeviation, 1.8708286933869707)]
    public void Epsilon_multiplies_its_statistic(EpsilonScale scale, double statistic)
    {
        Assert.Equal(0.1 * statistic, Epsilon.Of(0.1, scale).Resolve(Costs), 1e-15);
        Epsilon named = scale switch
        {
            EpsilonScale.Absolute => Epsilon.Absolute(0.1),
            EpsilonScale.Mean => Epsilon.RelativeToMean(0.1),
            EpsilonScale.Median => Epsilon.RelativeToMedian(0.1),
            EpsilonScale.Max => Epsilon.RelativeToMax(0.1),
            _ => Epsilon.RelativeToStandardDeviation(0.1),
        };
        Assert.Equal(Epsilon.Of(0.1, scale), named);
    }

    [Fact]
    public void Epsilon_of_a_cost_without_scale()
    {
        var zero = new CostMatrix(1, 2, [0.0, 0.0]);
        Assert.Equal(0.05, Epsilon.Default.Resolve(zero));
        Assert.Equal(0.15, Epsilon.Default.Resolve(Costs), 1e-15);
        var negative = new CostMatrix(1, 2, [-1.0, -2.0]);
        Assert.Contains(
            "absolute",
            Assert.Throws<ArgumentException>(() => Epsilon.Default.Resolve(negative)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("0.05 x Mean", Epsilon.Default.ToString());
        Assert.Equal("0.5", Epsilon.Absolute(0.5).ToString());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Bad_strengths_are_refused(double bad)
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Epsilon.Absolute(bad));
        Assert.Throws<ArgumentOutOfRangeException>(() => Epsilon.RelativeToMean(bad));
        if (!double.IsPositiveInfinity(bad))
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => MarginalPenalty.KullbackLeibler(bad));
            Assert.Throws<ArgumentOutOfRangeException>(() => MarginalPenalty.TotalVariation(bad));
        }
    }

    [Fact]
    public void Penalties()
    {
        Assert.True(MarginalPenalty.Exact.IsExact);
        Assert.Equal(double.PositiveInfinity, MarginalPenalty.Exact.Rho);
        Assert.Equal(MarginalPenalty.Exact, MarginalPenalty.KullbackLeibler(double.PositiveInfinity));
        Assert.Equal(MarginalPenalty.Exact, MarginalPenalty.TotalVariation(double.PositiveInfinity));
        Assert.NotEqual(MarginalPenalty.TotalVariation(4), MarginalPenalty.KullbackLeibler(4));
        Assert.Equal((4, 1), (MarginalPenalty.TotalVariation(4).Rho, MarginalPenalty.TotalVariation(4).Tau(2)));
        MarginalPenalty penalty = MarginalPenalty.KullbackLeibler(4);
        Assert.False(penalty.IsExact);
        Assert.Equal(4, penalty.Rho);
        Assert.Equal(0.8, penalty.Tau(1), 1e-15);
        Assert.Equal(1, MarginalPenalty.Exact.Tau(1));
    }

    [Fact]
    public void LengthMismatchThrows()
    {
        var refused = Assert.Throws<ArgumentException>(() => new LinearProblem(Costs, Measure.Uniform(2), Measure.Uniform(4)));
        Assert.Contains("2 source weights for 1 rows", refused.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new LinearProblem(Costs, Measure.Uniform(1), Measure.Uniform(3)));
        Assert.Throws<ArgumentNullException>(() => new LinearProblem(null!, Measure.Uniform(1), Measure.Uniform(3)));
    }

    [Fact]
    public void MassMismatchIsSeen()
    {
        var problem = new LinearProblem(Costs, Measure.Of([1.0]), Measure.Of([0.5, 0.5, 0.5, 0.5]));
        Assert.False(problem.MassesAgree);
        Assert.True((problem with { PenaltyA = MarginalPenalty.KullbackLeibler(1) }).MassesAgree);
        Assert.True(new LinearProblem(Costs, Measure.Of([2.0]), problem.B).MassesAgree);
    }

    [Fact]
    public void Float32SoftmaxMass()
    {
        float[] exponentials = [.. Enumerable.Range(0, 1000).Select(k => MathF.Exp(MathF.Sin(k)))];
        float total = exponentials.Sum();
        float[] softmax = Array.ConvertAll(exponentials, e => e / total);
        var geometry = new CostMatrix(1, 1000, new double[1000]);
        var problem = new LinearProblem(geometry, Measure.Of([1.0]), Measure.Of(softmax));
        Assert.NotEqual(1, problem.B.Mass);
        Assert.True(problem.MassesAgree);
        Assert.False(
            new LinearProblem(geometry, Measure.Of([1.0]), Measure.Of(Array.ConvertAll(softmax, w => w * 1.0001))).MassesAgree
        );
    }

    [Fact]
    public void Problems_default_to_exact_and_balanced()
    {
        var problem = new LinearProblem(Costs, Measure.Uniform(1), Measure.Uniform(4));
        Assert.IsType<NoRegularizer>(problem.Regularizer);
        Assert.True(problem.IsBalanced);
        Assert.False((problem with { PenaltyB = MarginalPenalty.KullbackLeibler(1) }).IsBalanced);
        Assert.Equal(Epsilon.Default, Assert.IsType<EntropyRegularizer>(Regularizer.Entropy()).Epsilon);
    }

    [Fact]
    public void Rho_is_the_number_given()
    {
        foreach (double rho in (double[])[0.1, 49, 1e-310, 5e-324, double.MaxValue])
        {
            var penalty = MarginalPenalty.KullbackLeibler(rho);
            Assert.Equal(rho, penalty.Rho);
            Assert.False(penalty.IsExact);
            Assert.InRange(penalty.Tau(1), 0, 1);
        }
        Assert.Equal(0.5, MarginalPenalty.KullbackLeibler(double.MaxValue).Tau(double.MaxValue));
    }

    [Fact]
    public void A_negative_mean_names_the_cure()
    {
        string message = Assert.Throws<ArgumentException>(() => Epsilon.Default.Resolve(new CostMatrix(1, 2, [-3.0, 1]))).Message;
        Assert.Contains("--epsilon", message, StringComparison.Ordinal);
        Assert.Contains("RelativeToStandardDeviation", message, StringComparison.Ordinal);
    }
}
