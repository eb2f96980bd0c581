using OT.Neural;

namespace OT.Applications.Rebasin;

/// <summary>Whether two networks are connected by a straight line of low loss.</summary>
public static class LinearModeConnectivity
{
    /// <summary>Loss and accuracy of <c>(1 − t) A + t B</c> at evenly spaced t. Takes a forward pass over the task for each point.</summary>
    /// <param name="a">The network at t = 0.</param>
    /// <param name="b">The network at t = 1, of the same widths and activation.</param>
    /// <param name="task">What the networks are judged by, best with examples that neither was trained on.</param>
    /// <param name="points">Number of points, both ends counted; 25 by default, at least 2. An odd number includes the midpoint.</param>
    /// <exception cref="ArgumentException">The networks differ in shape or do not fit the task, a parameter is not finite, or there are fewer than two points.</exception>
    public static BarrierReport Evaluate(Mlp a, Mlp b, LearningTask task, int points = 25)
    {
        Alignment.Check(a, b);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentOutOfRangeException.ThrowIfLessThan(points, 2);
        double[] positions = [.. Enumerable.Range(0, points).Select(k => k / (points - 1.0))];
        (double Loss, double Accuracy)[] scores = Array.ConvertAll(positions, t => task.Evaluate(Mlp.Interpolate(a, b, t)));
        return new BarrierReport
        {
            Positions = [.. positions],
            Losses = [.. scores.Select(score => score.Loss)],
            Accuracies = [.. scores.Select(score => score.Accuracy)],
        };
    }
}
